"""Files as departments send them, read in chunks of string columns: CSV of any encoding, XLSX, NDJSON, Parquet."""

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import fastexcel
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.ingest.domain.catalogue import UNEVEN
from services.ingest.store import lines
from services.ingest.store.problems import MissingColumnsError, UnreadableFileError
from services.ingest.store.unpacking import ZIP, Limits, Text, as_utf8, check_quotes, room, unpacked
from services.ingest.store.workbook import check_workbook
from shared.kit.clock import SHANGHAI

_SAMPLE = 1 << 18
_SAMPLE_LINES = 100
_CELLS = 65_536  # rows of Parquet opened at once
_DELIMITERS = ",;\t|"
_KEY = r'[{,]\s*"(?:[^"\\]|\\.)*"\s*:'
_NOTHING = r"(?:[ \x{FEFF}]|\\u0020|\\ufeff)*"
_PARQUET = b"PAR1"
_DAMAGED = (
    pl.exceptions.PolarsError, pa.ArrowException, fastexcel.FastExcelError, OSError, OverflowError, UnicodeDecodeError,
)  # fmt: skip
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_TEXTUAL = (
    *_TEXTS, pa.types.is_integer, pa.types.is_floating,
    pa.types.is_decimal, pa.types.is_boolean, pa.types.is_date, pa.types.is_time, pa.types.is_timestamp,
    pa.types.is_null,
)  # fmt: skip

Match = Callable[[list[str]], tuple[Mapping[str, str], Sequence[str]]]
"""Headers to (header → canonical name, missing canonical names)."""


def read_chunks(
    path: Path, scratch: Path, match: Match, limits: Limits, *, headers: Collection[str] = (), skip: bool = False
) -> Iterator[pl.DataFrame]:
    """Chunks of the canonical columns as strings, in the order of the file.

    Args:
        path: the file as it was sent, packed or not.
        scratch: folder for unpacked and transcoded copies; the caller removes it.
        match: which headers are needed.
        limits: bounds.
        headers: those that `match` knows, apart from case and spaces, where it knows but some: a key that one record in
            many has is looked for by name then, for a part of the time.
        skip: columns of Parquet that hold no cells of a table, lists and the like, instead of refusing them.

    Raises:
        UnreadableFileError: with what is wrong and what to send instead.
        FileTooLargeError: unpacked it is beyond the limits.
        StorageFullError: no room for what is unpacked.
    """
    try:
        with room():
            yield from _chunks(unpacked(path, scratch, limits), scratch, match, limits, headers=headers, skip=skip)
    except _DAMAGED as error:
        raise _damaged() from error
    except BaseException as error:
        # What the readers' own code did not foresee in a file; their packages give it no class of its own to name.
        if type(error).__name__ == "PanicException":
            raise _damaged() from error
        raise


def _damaged() -> UnreadableFileError:
    return UnreadableFileError("The file breaks off or is damaged; export it again and send the new one.")


def _chunks(
    plain: Path, scratch: Path, match: Match, limits: Limits, *, headers: Collection[str], skip: bool
) -> Iterator[pl.DataFrame]:
    with plain.open("rb") as opened:
        head = opened.read(_SAMPLE)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xfe\xff"):
        detail = "The file is empty; send it again with its rows."
        raise UnreadableFileError(detail)
    if head.startswith(ZIP):
        yield from _excel(plain, match, limits)
    elif head.startswith(_PARQUET):
        yield from _parquet(plain, match, limits, skip=skip)
    else:
        text = as_utf8(plain, scratch, limits)
        with text.path.open("rb") as opened:
            sample = opened.read(_SAMPLE).decode("utf-8-sig", errors="ignore").lstrip()
        if sample.startswith("{"):
            yield from _ndjson(text, sample, match, limits, headers)
        else:
            yield from _csv(text, sample, match, limits)


# ---- text ------------------------------------------------------------------------------------------------------------


def _csv(text: Text, sample: str, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    line = sample.split("\n", 1)[0].rstrip("\r")
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        headers = next(csv.reader([line], delimiter=delimiter, strict=False))
    except csv.Error:
        raise _damaged() from None
    chosen = _chosen(headers, match, limits)
    if text.quoted:
        check_quotes(text.path)
    yield from _even(_rows(text, headers, chosen, delimiter, limits), limits)


def _rows(
    text: Text, headers: Sequence[str], chosen: Mapping[str, str], delimiter: str, limits: Limits
) -> Iterator[pl.DataFrame]:
    """Rows below the first line, some megabytes at once, and which have more or fewer cells than it."""
    names = [f"c{place}" for place in range(len(headers))]
    # Of two columns with one header the first.
    places = {headers.index(header): name for header, name in chosen.items()}
    for block in lines.blocks(text, limits, end=lines.end_of_rows(text.path, delimiter)):
        frame = pl.read_csv(
            block,
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            columns=sorted(places),
            separator=delimiter,
            quote_char='"' if text.quoted else None,
            truncate_ragged_lines=True,
            missing_columns="insert",
            extra_columns="ignore",
            raise_if_empty=False,
        )
        cells, ends = lines.cells_of(block, delimiter, quoted=text.quoted)
        if len(cells) != len(frame):
            raise _damaged()
        wanted = frame.select(pl.col(f"c{place}").alias(name) for place, name in places.items())
        said = lines.saying(block, wanted, ends, delimiter)
        yield wanted.with_columns(pl.Series(UNEVEN, cells != len(headers))).filter(said)


def _ndjson(text: Text, sample: str, match: Match, limits: Limits, headers: Collection[str]) -> Iterator[pl.DataFrame]:
    names: dict[str, None] = {}
    lines = sample.split("\n")
    # The last line of a sample may be cut off.
    whole = lines if len(lines) == 1 or len(sample) < _SAMPLE // 4 else lines[:-1]
    for line in (each for each in whole[:_SAMPLE_LINES] if each.strip()):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise _damaged() from None
        names |= dict.fromkeys(record if isinstance(record, dict) else ())
    # Who leaves empty keys out writes the rare ones late.
    for records in _records(text, limits):
        names |= dict.fromkeys(_late_keys(records, list(names), match, limits, headers))
    chosen = _chosen(list(names), match, limits)
    frames = (pl.read_ndjson(records, schema=dict.fromkeys(chosen, pl.String)) for records in _records(text, limits))
    yield from _even(
        (frame.select(pl.col(header).alias(name) for header, name in chosen.items()) for frame in frames), limits
    )


def _records(text: Text, limits: Limits) -> Iterator[bytes]:
    # Within a record a line end is written as two other characters: a line is a record, whatever stands in quotes.
    for block in lines.blocks(replace(text, quoted=False), limits, heads=0):
        if records := block.lstrip(b"\xef\xbb\xbf \t\r\n"):
            yield records


def _late_keys(records: bytes, names: list[str], match: Match, limits: Limits, headers: Collection[str]) -> list[str]:
    """Keys of these records for what none of the names so far stands for, as many as there may be columns."""
    known = set(match(names)[0].values())
    told = {each: match([*names, each])[0].get(each) for each in headers}
    lacking = [each for each, name in told.items() if name is not None and name not in known]
    if headers and not lacking:
        return []
    looks = _looks_like(lacking) if headers else _KEY
    # One copy of the bytes, looked through whether they are UTF-8.
    text = pl.Series(pl.from_arrow(pa.array([records], pa.large_string())))
    written = text.str.extract_all(looks).explode().drop_nulls().unique()
    found = match([*names, *sorted(_told_keys(written) - set(names))])[0]
    late = sorted(header for header, name in found.items() if name not in known)
    late = late[: max(0, limits.columns - len(names))]
    # What stands in quotes, or within another record, may only look like a key of these.
    frame = pl.read_ndjson(records, schema=dict.fromkeys(late, pl.String)) if late else pl.DataFrame()
    return [each.name for each in frame if each.null_count() < len(each)]


def _looks_like(headers: Collection[str]) -> str:
    """A pattern of keys that are one of these headers but for case and spaces, each character as it is or escaped."""
    keys = (_NOTHING.join(rf"(?:{re.escape(each)}|\\u{ord(each):04x})" for each in header) for header in headers)
    return f'(?i)"{_NOTHING}(?:{"|".join(keys)}){_NOTHING}"\\s*:'


def _told_keys(written: pl.Series) -> set[str]:
    keys = set()
    for text in written:
        with suppress(orjson.JSONDecodeError):
            keys.add(orjson.loads(text[text.index('"') : text.rindex('"') + 1]))
    return keys


# ---- binary ----------------------------------------------------------------------------------------------------------


def _excel(path: Path, match: Match, limits: Limits) -> Iterator[pl.DataFrame]:
    check_workbook(path, limits)
    book = fastexcel.read_excel(path)
    name, headers = _sheet(book, match)
    chosen = _chosen(headers, match, limits)
    whole = book.load_sheet(name, use_columns=list(chosen), dtypes="string").to_polars()
    wanted = whole.select(pl.col(header).cast(pl.String).alias(name) for header, name in chosen.items())
    yield from wanted.iter_slices(limits.chunk_rows)


def _sheet(book: fastexcel.ExcelReader, match: Match) -> tuple[str, list[str]]:
    """Name and headers of the sheet that is meant: the one with the records, else the first, whose lacks are told.

    Raises:
        UnreadableFileError: more than one sheet has them; a reader of the first would lose the others.
    """
    headers = {
        name: [each.name for each in book.load_sheet(name, n_rows=0).available_columns()] for name in book.sheet_names
    }
    fitting = [name for name, found in headers.items() if found and not match(found)[1]]
    if len(fitting) > 1:
        detail = "Several sheets of the workbook hold records; save each as a file of its own and send them one by one."
        raise UnreadableFileError(detail)
    name = (fitting or book.sheet_names)[0]
    return name, headers[name]


def _parquet(path: Path, match: Match, limits: Limits, *, skip: bool) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as plain:
        headers = [field.name for field in plain.schema_arrow if not skip or _is_cell(field.type)]
        chosen = _chosen(headers, match, limits)
        texts = [header for header in chosen if _is_text(plain.schema_arrow.field(header).type)]
        if plain.metadata.num_rows > limits.plain_bytes // 4:
            detail = "The file has more rows than allowed; split it."
            raise UnreadableFileError(detail)
    # A text that stands in every row is read once: such a file may be a thousand times smaller than its cells.
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        yield from _even(_cells(file, chosen, limits), limits)


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts, as they are or by number.

    Raises:
        UnreadableFileError: neither these nor what is written as one text.
    """
    if not _is_cell(kind):
        detail = "A column this source needs holds neither text nor numbers nor days; write it as text."
        raise UnreadableFileError(detail)
    return any(fits(_plain(kind)) for fits in _TEXTS)


def _is_cell(kind: pa.DataType) -> bool:
    return any(fits(_plain(kind)) for fits in _TEXTUAL)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _cells(file: pq.ParquetFile, chosen: Mapping[str, str], limits: Limits) -> Iterator[pl.DataFrame]:
    for batch in file.iter_batches(batch_size=min(limits.chunk_rows, _CELLS), columns=list(chosen)):
        longest = sum(_longest_cell(column, limits.cell_bytes) for column in batch.columns)
        columns = dict(zip(batch.schema.names, map(_in_utc, batch.columns), strict=True))
        for part in pl.DataFrame(columns).iter_slices(max(1, limits.chunk_bytes // max(longest, 1))):
            yield part.select(_text(part[header]).alias(name) for header, name in chosen.items())


def _in_utc(column: pa.Array) -> pa.Array:
    """An instant by the name of one zone: offsets are no names that can be read."""
    kind = column.type
    return column.cast(pa.timestamp(kind.unit, "UTC")) if pa.types.is_timestamp(kind) and kind.tz else column


def _text(column: pl.Series) -> pl.Series:
    """Cells as text; an instant as the clocks of Shanghai show it."""
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        column = column.dt.convert_time_zone(SHANGHAI.key).dt.replace_time_zone(None)
    return column.cast(pl.String)


def _longest_cell(column: pa.Array, most: int) -> int:
    """Bytes of the longest text of a column; 0 where it holds none.

    Raises:
        UnreadableFileError: it is too long.
    """
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    longest = pc.max(pc.binary_length(values)).as_py() or 0 if any(fits(values.type) for fits in _TEXTS) else 0
    if longest > most:
        detail = f"A cell is longer than {most} bytes; this is not a table of records."
        raise UnreadableFileError(detail)
    return int(longest)


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


def _even(frames: Iterator[pl.DataFrame], limits: Limits) -> Iterator[pl.DataFrame]:
    """The same rows in chunks of the size of the limits; where cells are long, of as many bytes."""
    pending: list[pl.DataFrame] = []
    count = size = 0
    for frame in frames:
        pending.append(frame)
        count += len(frame)
        size += int(frame.estimated_size())
        while count >= limits.chunk_rows:
            whole = pl.concat(pending)
            yield whole.slice(0, limits.chunk_rows)
            rest = whole.slice(limits.chunk_rows)
            pending, count, size = ([rest], len(rest), int(rest.estimated_size())) if len(rest) else ([], 0, 0)
        if size > limits.chunk_bytes:
            yield pl.concat(pending)
            pending, count, size = [], 0, 0
    if count:
        yield pl.concat(pending)
