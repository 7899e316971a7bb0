"""Files as departments send them, read in chunks of string columns: CSV of any encoding, XLSX, NDJSON, Parquet."""

import codecs
import csv
import gzip
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from services.ingest.store.problems import FileTooLargeError, MissingColumnsError, UnreadableFileError

_PIECE = 1 << 20
_SAMPLE = 1 << 16
_DELIMITERS = ",;\t|"
_GZIP, _ZSTD, _ZIP, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1"
_SHEET_ROWS = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read at most, against bombs and accidents."""

    plain_bytes: int
    ratio: int
    columns: int
    line_bytes: int
    sheet_bytes: int
    chunk_rows: int


Match = Callable[[list[str]], tuple[Mapping[str, str], Sequence[str]]]
"""Headers to (header → canonical name, missing canonical names)."""


def read_chunks(path: Path, scratch: Path, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    """Chunks of the canonical columns as strings, in the order of the file.

    Args:
        path: the file as it was sent, packed or not.
        scratch: folder for unpacked and transcoded copies; the caller removes it.
        match: which headers are needed.
        limits: bounds.

    Raises:
        UnreadableFileError: with what is wrong and what to send instead.
        FileTooLargeError: unpacked it is beyond the limits.
    """
    plain = _unpacked(path, scratch, limits)
    with plain.open("rb") as opened:
        head = opened.read(_SAMPLE)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf"):
        detail = "The file is empty; send it again with its rows."
        raise UnreadableFileError(detail)
    try:
        if head.startswith(_ZIP):
            yield from _excel(plain, match, limits)
        elif head.startswith(_PARQUET):
            yield from _parquet(plain, match, limits)
        else:
            yield from _text(plain, scratch, head, match, limits)
    except (pl.exceptions.PolarsError, pa.ArrowException, fastexcel.FastExcelError) as error:
        detail = "The file breaks off or is damaged; export it again and send the new one."
        raise UnreadableFileError(detail) from error


# ---- unpacking -------------------------------------------------------------------------------------------------------


def _unpacked(path: Path, scratch: Path, limits: Limits) -> Path:
    with path.open("rb") as opened:
        head = opened.read(4)
    bound = min(limits.plain_bytes, max(path.stat().st_size, 1 << 16) * limits.ratio)
    try:
        if head.startswith(_GZIP):
            with gzip.open(path) as packed:
                return _copied(packed.read, scratch / "plain", bound)
        if head.startswith(_ZSTD):
            with (
                path.open("rb") as raw,
                zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(raw) as packed,
            ):
                return _copied(packed.read, scratch / "plain", bound)
        if head.startswith(_ZIP) and not _is_excel(path):
            return _unzipped(path, scratch / "plain", bound)
    except (OSError, EOFError, zipfile.BadZipFile, zstandard.ZstdError, ValueError) as error:
        detail = "The packed file breaks off or is damaged; pack it again."
        raise UnreadableFileError(detail) from error
    return path


def _is_excel(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except zipfile.BadZipFile:
        # A cut-off workbook has lost its directory; a cut-off archive of something else is no better.
        return True


def _unzipped(path: Path, target: Path, bound: int) -> Path:
    with zipfile.ZipFile(path) as archive:
        inside = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX")]
        if len(inside) != 1:
            detail = "A zip file must hold exactly one file."
            raise UnreadableFileError(detail)
        with archive.open(inside[0]) as packed:
            return _copied(packed.read, target, bound)


def _copied(read: Callable[[int], bytes], target: Path, bound: int) -> Path:
    size = 0
    with target.open("wb") as out:
        while piece := read(_PIECE):
            size += len(piece)
            if size > bound:
                detail = "Unpacked, the file is larger than allowed; split it."
                raise FileTooLargeError(detail)
            out.write(piece)
    return target


# ---- text ------------------------------------------------------------------------------------------------------------


def _text(plain: Path, scratch: Path, head: bytes, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    utf8 = _as_utf8(plain, scratch, head, limits)
    with utf8.open("rb") as opened:
        first = opened.read(_SAMPLE).decode("utf-8-sig", errors="ignore")
    if first.lstrip().startswith("{"):
        yield from _ndjson(utf8, match, limits)
        return
    line = first.splitlines()[0]
    delimiter = max(_DELIMITERS, key=line.count)
    headers = next(csv.reader([line], delimiter=delimiter))
    chosen = _chosen(headers, match, limits)
    frame = pl.scan_csv(
        utf8, separator=delimiter, infer_schema=False, truncate_ragged_lines=True, quote_char='"', encoding="utf8"
    )
    yield from _renamed(frame, chosen, limits)


def _as_utf8(plain: Path, scratch: Path, head: bytes, limits: Limits) -> Path:
    """The file in UTF-8, checked whole: a line too long or a byte out of place is found before a row is read."""
    encoding = _encoding(plain, head)
    decode = codecs.getincrementaldecoder(encoding)()
    target = scratch / "utf8" if encoding not in {"utf-8", "utf-8-sig"} else None
    out = target.open("wb") if target else None
    open_line = 0
    try:
        with plain.open("rb") as opened:
            while piece := opened.read(_PIECE):
                if b"\x00" in piece and not encoding.startswith("utf-16"):
                    raise UnicodeDecodeError(encoding, b"", 0, 1, "NUL")
                open_line = _longest_open_line(piece, open_line, limits)
                text = decode.decode(piece)
                if out:
                    out.write(text.encode())
            decode.decode(b"", final=True)
    except UnicodeDecodeError as error:
        detail = (
            "The file is neither UTF-8 nor GB18030 nor UTF-16 text, nor XLSX or Parquet; export it as CSV in UTF-8."
        )
        raise UnreadableFileError(detail) from error
    finally:
        if out:
            out.close()
    return target or plain


def _longest_open_line(piece: bytes, before: int, limits: Limits) -> int:
    start, longest = 0, 0
    end = piece.find(b"\n")
    if end < 0:
        longest = before + len(piece)
    else:
        longest = before + end
        start = piece.rfind(b"\n") + 1
    if longest > limits.line_bytes:
        detail = f"A line is longer than {limits.line_bytes} bytes; this is not a table of records."
        raise UnreadableFileError(detail)
    return len(piece) - start if end >= 0 else longest


def _encoding(plain: Path, head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in ("utf-8", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with plain.open("rb") as opened:
                while piece := opened.read(_PIECE):
                    decoder.decode(piece)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    return "utf-8"


def _ndjson(path: Path, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    with path.open("rb") as opened:
        names = list(pl.read_ndjson(opened.readline()).columns)
    chosen = _chosen(names, match, limits)
    frame = pl.scan_ndjson(path, schema=dict.fromkeys(chosen, pl.String))
    yield from _renamed(frame, chosen, limits)


# ---- binary ----------------------------------------------------------------------------------------------------------


def _excel(path: Path, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(each.file_size for each in archive.infolist()) > limits.sheet_bytes:
                detail = "Unpacked, the workbook is larger than allowed; send it as CSV."
                raise FileTooLargeError(detail)
    except zipfile.BadZipFile as error:
        detail = "The workbook breaks off or is damaged; save it again and send the new one."
        raise UnreadableFileError(detail) from error
    book = fastexcel.read_excel(path)
    sheet = book.load_sheet(0, n_rows=0)
    chosen = _chosen([each.name for each in sheet.available_columns()], match, limits)
    columns = list(chosen)
    for start in range(0, _SHEET_ROWS, limits.chunk_rows):
        part = book.load_sheet(0, use_columns=columns, dtypes="string", skip_rows=start, n_rows=limits.chunk_rows)
        frame = part.to_polars()
        if frame.is_empty():
            return
        yield frame.select(pl.col(header).cast(pl.String).alias(name) for header, name in chosen.items())
        if len(frame) < limits.chunk_rows:
            return


def _parquet(path: Path, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        chosen = _chosen(file.schema_arrow.names, match, limits)
        for batch in file.iter_batches(batch_size=limits.chunk_rows, columns=list(chosen)):
            frame = pl.DataFrame(batch)
            yield frame.select(pl.col(header).cast(pl.String).alias(name) for header, name in chosen.items())


# ---- common ----------------------------------------------------------------------------------------------------------


def _chosen(headers: Sequence[str], match: Match, limits: Limits) -> Mapping[str, str]:
    if len(headers) > limits.columns:
        detail = f"The file has more than {limits.columns} columns; send only those that are needed."
        raise UnreadableFileError(detail)
    chosen, missing = match(list(headers))
    if missing:
        detail = f"Missing: {'; '.join(missing)}. Check the first line and the delimiter."
        raise MissingColumnsError(detail)
    return chosen


def _renamed(frame: pl.LazyFrame, chosen: Mapping[str, str], limits: Limits) -> Iterator[pl.DataFrame]:
    wanted = frame.select(pl.col(header).cast(pl.String).alias(name) for header, name in chosen.items())
    pending: list[pl.DataFrame] = []
    count = 0
    for batch in wanted.collect_batches(chunk_size=limits.chunk_rows, maintain_order=True, lazy=True):
        pending.append(batch)
        count += len(batch)
        while count >= limits.chunk_rows:
            whole = pl.concat(pending)
            yield whole.slice(0, limits.chunk_rows)
            rest = whole.slice(limits.chunk_rows)
            pending, count = ([rest], len(rest)) if len(rest) else ([], 0)
    if count:
        yield pl.concat(pending)
