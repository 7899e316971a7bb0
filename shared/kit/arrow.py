"""Arrow tables as message bodies: zstd IPC streams of one shard, small enough for the broker."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from shared.contracts.events import TableEvent
from shared.contracts.vocabulary import EVERY_SHARD, SHARDS

MAX_ROWS = 20_000
MAX_BYTES = 900 * 1024
_SMALL_BYTES = 32 * 1024
_PACKED = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
# Below a few pages a compressor costs more than it saves, on both sides: a context for each buffer of each column.
_PLAIN = pa.ipc.IpcWriteOptions(use_threads=False)
_READ = pa.ipc.IpcReadOptions(use_threads=False)


class TableShapeError(ValueError):
    """A table that does not fit its declared event."""


def encode(table: pa.Table) -> bytes:
    """`table` as an Arrow IPC stream, zstd-compressed where that pays."""
    sink = pa.BufferOutputStream()
    options = _PACKED if table.nbytes > _SMALL_BYTES else _PLAIN
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    body: bytes = sink.getvalue().to_pybytes()
    return body


def decode(body: bytes) -> pa.Table:
    """The table in an Arrow IPC stream, with its metadata.

    Raises:
        TableShapeError: not an Arrow stream.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(body), options=_READ) as reader:
            return reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        msg = "the body is not an Arrow IPC stream"
        raise TableShapeError(msg) from error


def schema_of(body: bytes) -> pa.Schema:
    """The schema of an Arrow IPC stream, without reading its rows.

    Raises:
        TableShapeError: not an Arrow stream.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(body), options=_READ) as reader:
            return reader.schema
    except (pa.ArrowInvalid, OSError) as error:
        msg = "the body is not an Arrow IPC stream"
        raise TableShapeError(msg) from error


def attributes_of(table: pa.Table) -> dict[str, str]:
    """Attributes of the whole table, from its schema metadata."""
    return {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}


def conform(event: TableEvent, table: pa.Table, attributes: Mapping[str, str]) -> pa.Table:
    """`table` cast to the columns of `event`, with the attributes as metadata.

    Raises:
        TableShapeError: columns or attributes are missing.
    """
    missing = [name for name in event.columns if name not in table.column_names]
    missing += [name for name in event.attributes if name not in attributes]
    if missing:
        msg = f"{event.name} lacks {', '.join(missing)}"
        raise TableShapeError(msg)
    chosen = table.select(list(event.columns)).cast(event.schema)
    return chosen.replace_schema_metadata({name: attributes[name] for name in event.attributes})


def subject_bytes(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A fixed-size binary column as an array of shape (n, 16), uint8, without copying where possible."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], pa.binary(16))
    if len(array) == 0:
        return np.empty((0, 16), dtype=np.uint8)
    data = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    return data[array.offset * 16 : (array.offset + len(array)) * 16].reshape(-1, 16)


def subject_array(subjects: np.ndarray) -> pa.FixedSizeBinaryArray:
    """Subjects of shape (n, 16), uint8, as an Arrow column."""
    contiguous = np.ascontiguousarray(subjects, dtype=np.uint8)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(contiguous), [None, pa.py_buffer(contiguous)])


def _numbers(table: pa.Table) -> np.ndarray:
    """The shard of each row (first hex digit of `subject`) as a number."""
    return subject_bytes(table.column("subject"))[:, 0] >> 4


def shards_of(table: pa.Table) -> list[str]:
    """The shards of the people in `table`, ascending."""
    return [SHARDS[number] for number in np.unique(_numbers(table))]


def split(table: pa.Table, undivided: int = 0) -> Iterator[tuple[str, pa.Table, bytes]]:
    """Pieces of `table` by shard: shard, rows in their order, encoded body.

    Args:
        table: with a column `subject`.
        undivided: up to so many rows of several shards stay together, as of `EVERY_SHARD`.
    """
    nibble = _numbers(table)
    if 1 < table.num_rows <= undivided and (nibble != nibble[0]).any():
        for part, body in _small_enough(table):
            yield EVERY_SHARD, part, body
        return
    order = np.argsort(nibble, kind="stable")
    ordered = table.take(pa.array(order))
    bounds = np.searchsorted(nibble[order], np.arange(17))
    for number, shard in enumerate(SHARDS):
        start, stop = int(bounds[number]), int(bounds[number + 1])
        for offset in range(start, stop, MAX_ROWS):
            piece = ordered.slice(offset, min(MAX_ROWS, stop - offset))
            for part, body in _small_enough(piece):
                yield shard, part, body


def _small_enough(piece: pa.Table) -> Iterator[tuple[pa.Table, bytes]]:
    body = encode(piece)
    if len(body) <= MAX_BYTES or len(piece) == 1:
        yield piece, body
        return
    half = len(piece) // 2
    yield from _small_enough(piece.slice(0, half))
    yield from _small_enough(piece.slice(half))
