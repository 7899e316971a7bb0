"""Files of jobs: parts of lists and results under one folder a job, in a folder or any fsspec store."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from services.recognition.domain.states import ResultFormat

_PIECE, _WINDOW_LINES = 1 << 20, 131_072
_PACKED = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished file: SHA-256 and length in bytes."""

    digest: bytes
    size: int


class Files:
    """What jobs keep outside the database; every write may be done again and gives the same.

    Args:
        url: fsspec URL of the folder.
    """

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url, auto_mkdir=True)

    def _place(self, job_id: UUID, name: str) -> str:
        return f"{self._root}/{job_id}/{name}"

    def write_part(self, job_id: UUID, kind: str, number: int, table: pa.Table) -> None:
        """Keep one part of a list (`list`) or of an answer (`said`)."""
        with (
            self._fs.open(self._place(job_id, f"{kind}-{number:05}.arrow"), "wb") as out,
            pa.ipc.new_stream(out, table.schema, options=_PACKED) as writer,
        ):
            writer.write_table(table)

    def read_part(self, job_id: UUID, kind: str, number: int) -> pa.Table:
        """One part.

        Raises:
            FileNotFoundError: it was not kept, or its time is over.
        """
        with self._fs.open(self._place(job_id, f"{kind}-{number:05}.arrow"), "rb") as opened:
            return pa.ipc.open_stream(opened.read()).read_all()

    def render(self, job_id: UUID, parts: int, how: ResultFormat, *, by_line: bool) -> Rendered:
        """Put the answers of all parts into the one file a partner fetches, by line where he sent a list."""
        with self._fs.open(self._place(job_id, f"result.{how}"), "wb") as out:
            sink = _Digesting(out)
            tables: Iterator[pa.Table] = (self.read_part(job_id, "said", number) for number in range(parts))
            if by_line and parts > 1:
                tables = self._in_lines(job_id, tables)
            if how is ResultFormat.PARQUET:
                _write_parquet(sink, tables)
            else:
                for table in tables:
                    pl.DataFrame(pl.from_arrow(table)).write_ndjson(cast(IO[bytes], sink))
        return Rendered(sink.digest.digest(), sink.size)

    def _in_lines(self, job_id: UUID, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same rows by line. Each part has lines from everywhere, so they are dealt into windows first."""
        dealt: dict[int, list[int]] = {}
        for number, table in enumerate(tables):
            frame = pl.DataFrame(pl.from_arrow(table))
            for (window,), rows in frame.group_by(pl.col("line") // _WINDOW_LINES):
                self.write_part(job_id, f"window{window:05}", number, rows.to_arrow())
                dealt.setdefault(cast(int, window), []).append(number)
        for window, numbers in sorted(dealt.items()):
            parts = (self.read_part(job_id, f"window{window:05}", number) for number in numbers)
            frame = pl.concat([pl.DataFrame(pl.from_arrow(each)) for each in parts])
            yield frame.sort("line").to_arrow()
        self.drop(job_id, "window")

    def pieces(self, job_id: UUID, how: ResultFormat) -> Iterator[bytes]:
        """A finished file, piece by piece.

        Raises:
            FileNotFoundError: there is none.
        """
        opened = self._fs.open(self._place(job_id, f"result.{how}"), "rb")

        def go_on() -> Iterator[bytes]:
            with opened:
                while piece := opened.read(_PIECE):
                    yield piece

        return go_on()

    def drop(self, job_id: UUID, *kinds: str) -> None:
        """Forget a job's files: all, or those whose names begin with one of `kinds`."""
        folder = f"{self._root}/{job_id}"
        if not self._fs.exists(folder):
            return
        if not kinds:
            self._fs.rm(folder, recursive=True)
            return
        for path in self._fs.ls(folder, detail=False):
            if Path(path).name.startswith(kinds):
                self._fs.rm(path)


class _Digesting:
    """A writable file that knows the digest of what went through it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, piece: Any) -> int:  # noqa: ANN401  (whatever has bytes)
        view = bytes(piece)
        self.digest.update(view)
        self.size += len(view)
        self._out.write(view)
        return len(view)

    def flush(self) -> None:
        self._out.flush()


def _write_parquet(sink: _Digesting, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
