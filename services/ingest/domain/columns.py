"""Texts of equal width as rows of bytes, one array a place: what makes checks by columns fast."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

Array = np.ndarray
_DIGIT_0 = np.uint8(48)
_FEBRUARY, _LEAP_DAY, _NO_MONTH = 2, 29, 13
# With 29 February; the leap day itself is checked by year.
_LENGTHS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0], dtype=np.uint16)


def matrix_of(texts: pl.Series, width: int) -> Array:
    """Bytes of texts that are all `width` bytes long, without nulls; uint8 of shape (n, width)."""
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8)[offsets[0] : offsets[-1]].reshape(-1, width)


def places_of(matrix: Array) -> Array:
    """The same bytes place by place, shape (width, n), as digits: '0' to '9' are 0 to 9, all else is more."""
    return np.asarray(np.ascontiguousarray(matrix.T) - _DIGIT_0)


def number_at(places: Array, start: int, stop: int, kind: type[np.unsignedinteger[Any]]) -> Array:
    """The number that the digits of some places write, for each text; a wrong digit gives a wrong number."""
    number: Array = places[start].astype(kind)
    for place in places[start + 1 : stop]:
        number *= kind(10)
        number += place
    return number


def is_day(year: Array, month: Array, day: Array) -> Array:
    """Whether there is such a day in the calendar."""
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _LENGTHS[np.minimum(month, _NO_MONTH)]
    return np.asarray((day >= 1) & (day <= longest) & ((month != _FEBRUARY) | (day < _LEAP_DAY) | leap))


def texts_of(matrix: Array) -> pl.Series:
    """Texts of the rows of a matrix of ASCII bytes, shape (n, width)."""
    count, width = matrix.shape
    places = pa.py_buffer(np.arange(count + 1, dtype=np.int64) * width)
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    return pl.Series(pl.from_arrow(pa.LargeStringArray.from_buffers(count, places, data)))
