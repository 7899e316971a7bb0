"""Rows that were not taken, as the department sent them, with the reason beside each: to be mended and sent back."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from services.ingest.domain import citizen_id, roster
from services.ingest.domain.catalogue import CITIZEN_ID, NAME, UNEVEN, Source
from services.ingest.domain.households import one_a_person
from services.ingest.store.problems import FileTooLargeError
from services.ingest.store.raw import Received
from services.ingest.store.reading import read_chunks
from services.ingest.store.unpacking import Limits, room

ROW, REASON = "原文件数据行号", "未采纳原因"
REASONS = {
    "missing_field": "必填项为空",
    "no_citizen_id": "无身份证号,仅作线索",
    "bad_citizen_id": "身份证号格式不正确",
    "bad_check_digit": "身份证号校验码不正确",
    "impossible_date": "日期无法识别",
    "future_date": "日期晚于今天(到日后原样重报)",
    "wrong_code": "代码不在约定范围内",
    "not_counted": "按规则不计入(如电话随访、代办)",
    "not_a_beneficiary": "不是待遇领取人员",
    "name_mismatch": "姓名与登记不一致(名册中确已更名的,核实后带 confirm 重报)",
    "duplicate": "与名册内其他行重复",
    "second_payee": "本户已有领取人,一户只列一名",
    "uneven_row": "列数与表头不一致,可能单元格内有分隔符",
    "not_enrolled_there": "此人在该处没有在领的登记,未作停发(请核对身份证号和村居代码)",
    "taken_back": "该记录此前已更正或撤回",
}
_BOM = "\ufeff"
_FORMULA = r"^[=+\-@\t\r]"
_SHEET_ROWS = 1_048_575
_PIECE = 1 << 18


def _all(headers: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Every column under its own name; ours from an earlier download are left out."""
    return {header: header for header in headers if header not in {ROW, REASON}}, []


def rows_with_reasons(
    received: Received, quarantine: pa.Table, limits: Limits, source: Source | None = None
) -> Iterator[pl.DataFrame]:
    """The rows of a file that are in quarantine, with all their columns, their number and the reason in Chinese.

    Args:
        received: the file as it was sent.
        quarantine: row numbers and reasons, in order.
        limits: those the file was read under.
        source: of the file, unless it is a roster.
    """
    numbers = quarantine.column("row_no").to_numpy()
    reasons = pl.Series(pl.from_arrow(quarantine.column("reason"))).replace_strict(REASONS, default="其他")
    for first, frame in _judged_rows(received, limits, source):
        start, stop = np.searchsorted(numbers, [first, first + len(frame)])
        if stop > start:
            chosen = frame[numbers[start:stop].astype(np.int64) - first].drop(UNEVEN, strict=False)
            at = chosen[ROW]
            yield chosen.drop(ROW).with_columns(at, reasons[int(start) : int(stop)].alias(REASON))


def file_row(received: Received, row_no: int, limits: Limits, source: Source) -> int | None:
    """The data row of the file, counted from 0, from which a row came as it was judged."""
    for first, frame in _judged_rows(received, limits, source):
        if row_no < first + len(frame):
            return int(frame[ROW][row_no - first]) - 1
    return None


def noting_people(
    frames: Iterator[pl.DataFrame], numbers: list[str], this_year: int, source: Source | None = None
) -> Iterator[pl.DataFrame]:
    """The same rows, while the good id numbers in them are added to `numbers`."""
    for frame in frames:
        headers = source.matched_columns(frame.columns) if source else roster.match(frame.columns)[0]
        for header in (header for header, name in headers.items() if name == CITIZEN_ID):
            checked = citizen_id.check(frame[header], this_year=this_year)
            numbers += checked.numbers.filter(pl.Series(checked.fault == citizen_id.GOOD)).to_list()
        yield frame


def _judged_rows(received: Received, limits: Limits, source: Source | None) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows as they were judged, where one of the file may name several people, and the number of the first."""
    first = before = 0
    for read in read_chunks(received.path, received.scratch, _all, limits, skip=True):
        # People count data rows from 1.
        frame = read.with_columns(pl.int_range(before + 1, before + 1 + pl.len()).cast(pl.String).alias(ROW))
        before += len(read)
        if source is not None and source.several_people:
            headers = {name: header for header, name in source.matched_columns(read.columns).items()}
            frame = one_a_person(frame, headers[CITIZEN_ID], headers.get(NAME))
        yield first, frame
        first += len(frame)


def written(frames: Iterator[pl.DataFrame], form: str, received: Received) -> Path:
    """The rows as a file in the scratch folder of the one they come from: text cells, csv or xlsx.

    Raises:
        FileTooLargeError: more rows than a sheet holds.
        StorageFullError: no room for it.
    """
    path = received.scratch / f"quarantine.{form}"
    with room():
        (_write_csv if form == "csv" else _write_xlsx)(frames, path)
    return path


def pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces."""
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _write_csv(frames: Iterator[pl.DataFrame], path: Path) -> None:
    """CSV in UTF-8 that a spreadsheet opens without running anything in it."""
    started = False
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(_BOM)
        for frame in frames:
            if not started:
                csv.writer(out).writerow(frame.columns)
                started = True
            out.write(_harmless(frame).write_csv(include_header=False))
        if not started:
            out.write(f"{ROW},{REASON}\r\n")


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(_FORMULA)).then("'" + text).otherwise(text).name.keep())


def _write_xlsx(frames: Iterator[pl.DataFrame], path: Path) -> None:
    import xlsxwriter  # noqa: PLC0415  (loaded when a sheet is asked for)

    # What it writes on its way holds the same rows, so it lies in the same folder.
    with (
        _told(xlsxwriter.exceptions.FileCreateError),
        xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)}) as book,
    ):
        sheet = book.add_worksheet()
        row = 0
        for frame in frames:
            if row + len(frame) > _SHEET_ROWS:
                detail = "More rows than a sheet holds; ask for CSV."
                raise FileTooLargeError(detail)
            if not row:
                _write_row(sheet, 0, frame.columns)
            for values in frame.iter_rows():
                row += 1
                _write_row(sheet, row, values)
        if not row:
            _write_row(sheet, 0, [ROW, REASON])


@contextmanager
def _told(wrapped: type[Exception]) -> Iterator[None]:
    """Say what went wrong in a file as it was said before the library put it into an error of its own."""
    try:
        yield
    except wrapped as error:
        raise error.args[0] from None


def _write_row(sheet: Any, row: int, values: Sequence[str | None]) -> None:  # noqa: ANN401  (the library has no types)
    for place, value in enumerate(values):
        if value:
            sheet.write_string(row, place, value)
