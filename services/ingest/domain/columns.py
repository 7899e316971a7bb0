"""Texts of equal width as a matrix of bytes and back: what makes checks by columns fast."""

import numpy as np
import polars as pl
import pyarrow as pa

Array = np.ndarray


def matrix_of(texts: pl.Series, width: int) -> Array:
    """Bytes of texts that are all `width` bytes long, without nulls; uint8 of shape (n, width)."""
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8)[offsets[0] : offsets[-1]].reshape(-1, width)


def texts_of(matrix: Array) -> pl.Series:
    """Texts of the rows of a matrix of ASCII bytes, shape (n, width)."""
    count, width = matrix.shape
    places = pa.py_buffer(np.arange(count + 1, dtype=np.int64) * width)
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    return pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(count, places, data)))
