"""Tables as the bytes of the files departments send."""

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import xlsxwriter

_SEPARATORS = {"tab": "\t"}
_CREATED = datetime(2023, 11, 1, tzinfo=UTC).replace(tzinfo=None)
_ROWS_A_GROUP = 200_000


def encode(
    table: pl.DataFrame,
    *,
    form: str,
    encoding: str = "utf-8",
    separator: str = ",",
    date_cells: tuple[str, ...] = (),
) -> bytes:
    """The bytes of a table as csv, xlsx, ndjson or parquet; the same table gives the same bytes.

    `date_cells` are columns of ISO dates that a workbook keeps as dates; what is no date stays text.
    """
    if form == "xlsx":
        return _xlsx(table, date_cells)
    buffer = io.BytesIO()
    if form == "parquet":
        table.write_parquet(buffer, compression="zstd", row_group_size=_ROWS_A_GROUP)
    elif form == "ndjson":
        table.write_ndjson(buffer)
    else:
        table.write_csv(buffer, separator=_SEPARATORS.get(separator, separator), include_bom=encoding == "utf-8-bom")
    if encoding == "gb18030":
        return buffer.getvalue().decode("utf-8").encode("gb18030")
    return buffer.getvalue()


def save(path: Path, content: bytes) -> str:
    """Write the bytes; answers their SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _xlsx(table: pl.DataFrame, date_cells: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"constant_memory": True})
    book.set_properties({"created": _CREATED})
    sheet = book.add_worksheet("数据")
    sheet.write_row(0, 0, table.columns)
    as_date = book.add_format({"num_format": "yyyy/m/d"})
    dated = {place for place, title in enumerate(table.columns) if title in date_cells}
    for number, row in enumerate(table.iter_rows(), start=1):
        for place, value in enumerate(row):
            if place in dated and (day := _day_of(value)):
                sheet.write_datetime(number, place, day, as_date)
            elif isinstance(value, str):
                sheet.write_string(number, place, value)
            elif value is not None:
                sheet.write_number(number, place, value)
    book.close()
    return buffer.getvalue()


def _day_of(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
