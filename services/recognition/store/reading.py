"""Lists as partners send them, read in chunks of string columns: CSV, NDJSON or Parquet."""

import codecs
import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from shared.kit.problems import MalformedError, TooLargeError

CHUNK_ROWS = 65_536
_SAMPLE = 1 << 16
_PIECE = 1 << 20
_BOM = "\ufeff"

NAMES = {
    "citizen_id": ("citizen_id", "id_no", "公民身份号码", "身份证号", "身份证号码"),
    "amount": ("amount", "金额", "发放金额"),
    "amount_fen": ("amount_fen",),
    "ref": ("ref", "编号"),
}
"""Columns a list may have, by the headers they are known under; others are not read."""


class ListType(StrEnum):
    """Media types of a list."""

    CSV = "text/csv"
    NDJSON = "application/x-ndjson"
    PARQUET = "application/vnd.apache.parquet"


class BadListError(MalformedError):
    """The list cannot be read."""

    code = "bad_list"
    title = "The list cannot be read"


async def receive(pieces: AsyncIterator[bytes], path: Path, *, limit: int) -> int:
    """Take a body piece by piece; returns its length.

    Raises:
        TooLargeError: beyond `limit`.
    """
    size = 0
    with path.open("wb") as out:
        async for piece in pieces:
            size += len(piece)
            if size > limit:
                detail = f"A list may have {limit} bytes; split it."
                raise TooLargeError(detail)
            out.write(piece)
    return size


def read_chunks(path: Path, kind: ListType) -> Iterator[pl.DataFrame]:
    """Rows of the known columns as strings, in the order of the file.

    Raises:
        BadListError: it is damaged, of another kind than declared, or has no ids.
    """
    reader = {ListType.CSV: _csv, ListType.NDJSON: _ndjson, ListType.PARQUET: _parquet}[kind]
    try:
        yield from reader(path)
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, UnicodeError, csv.Error, ValueError) as error:
        detail = f"The list breaks off, is damaged, or is no {kind.value}; write it again and send the new one."
        raise BadListError(detail) from error
    except BaseException as error:
        # What the reader's own code did not foresee in a file; its package gives it no class of its own to name.
        if type(error).__name__ == "PanicException":
            raise BadListError("The list is damaged; write it again and send the new one.") from error
        raise


def _chosen(headers: Iterable[str]) -> Mapping[str, str]:
    """Header to our name."""
    known = {header.strip(): header for header in headers}
    found = {known[alias]: name for name, aliases in NAMES.items() for alias in reversed(aliases) if alias in known}
    if "citizen_id" not in found.values():
        detail = "The list needs a column citizen_id; amount (yuan) or amount_fen, and ref are known beside it."
        raise BadListError(detail)
    return found


def _batches(frame: pl.LazyFrame, chosen: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    wanted = frame.select(pl.col(header).cast(pl.String).alias(name) for header, name in chosen.items())
    yield from wanted.collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True, lazy=True)


def _csv(path: Path) -> Iterator[pl.DataFrame]:
    plain = _as_utf8(path)
    with plain.open("rb") as opened:
        line = opened.readline(_SAMPLE).decode("utf-8-sig").rstrip("\r\n")
    if not line:
        raise BadListError("The list is empty.")
    delimiter = max(",;\t|", key=line.count)
    chosen = _chosen(next(csv.reader([line], delimiter=delimiter)))
    yield from _batches(pl.scan_csv(plain, separator=delimiter, infer_schema=False), chosen)


def _as_utf8(path: Path) -> Path:
    """The same text in UTF-8; what is not UTF-8 is taken for GB18030, which is what offices here still write."""
    try:
        _decode(path, "utf-8", None)
    except UnicodeDecodeError:
        plain = path.with_suffix(".utf8")
        _decode(path, "gb18030", plain)
        return plain
    return path


def _decode(path: Path, encoding: str, to: Path | None) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as opened, (to or Path("/dev/null")).open("w", encoding="utf-8", newline="") as out:
        while piece := opened.read(_PIECE):
            text = decoder.decode(piece)
            if to:
                out.write(text)
        decoder.decode(b"", final=True)


def _ndjson(path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as opened:
        first = orjson.loads(opened.readline(_SAMPLE).removeprefix(codecs.BOM_UTF8) or b"null")
    if not isinstance(first, dict):
        raise BadListError("Each line must be a JSON object.")
    chosen = _chosen(first)
    yield from _batches(pl.scan_ndjson(path, schema=dict.fromkeys(chosen, pl.String)), chosen)


def _parquet(path: Path) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as opened:
        chosen = _chosen(opened.schema_arrow.names)
        for batch in opened.iter_batches(batch_size=CHUNK_ROWS, columns=list(chosen)):
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield frame.select(pl.col(header).cast(pl.String).alias(name) for header, name in chosen.items())
