"""Workbooks looked through before they are opened: a reader makes room for the whole rectangle its cells span.

Two cells, one in the first and one in the last place of a sheet, are a kilobyte of file and hundreds of gigabytes of
rectangle; one long text that all cells share is written once and read a million times.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from services.ingest.store.problems import FileTooLargeError, UnreadableFileError
from services.ingest.store.unpacking import BROKEN, Limits

_PIECE = 1 << 20
_CELL_BYTES = 96  # what reading takes for each place of the rectangle: 70 measured, with short texts
_LONGEST_PLACE = 12
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]", re.ASCII)
_PREFIXED = re.compile(rb"<\w+:c[\s/>]", re.ASCII)
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]", re.ASCII)
_ROW_PLACE = re.compile(rb"""<(?:\w+:)?row\s+(?:[\w:]+="[^"<>]*"\s+)*?r="([0-9]+)\"""", re.ASCII)
# Cells and rows that tell no place: whatever is neither this nor tells one hides it.
_PLAIN_CELL, _PLAIN_ROW = (
    re.compile(rb"<(?:\w+:)?" + name + rb"""(?:\s+(?!r=)[\w:.]+="[^"<>]*")*\s*/?>""", re.ASCII)
    for name in (b"c", b"row")
)
# The place of a cell, and whether it is written as an empty one: those take no room.
_REST = rb"""c\s+(?:[\w:]+="[^"<>]*"\s+)*?r="([A-Za-z]+)([0-9]+)"((?:\s+[\w:]+="[^"<>]*")*\s*(?:/>|></))?"""
_PLACE, _PREFIXED_PLACE = re.compile(rb"<" + _REST, re.ASCII), re.compile(rb"<(?:\w+:)?" + _REST, re.ASCII)
_TEXT = re.compile(rb"<(?:\w+:)?si[\s/>]", re.ASCII)
_VALUE = re.compile(rb"<(?:\w+:)?v>\s*([0-9]{1,9})\s*<", re.ASCII)


@dataclass(slots=True)
class _Part:
    """What one file within a workbook holds.

    Attributes:
        cells: how many there are.
        columns, last_row: in use, of cells that tell their places.
        implied: whether some do not: such a cell stands beside the one before it, in the row below the one before.
        rows, last_row_told: how many rows there are, and the last of those that tell their places.
        hidden, hidden_rows: how many cells and rows hide their places.
        widest, width: most cells of a row, and those so far of the row that is still open; where some are implied.
        texts: where shared texts begin.
    """

    size: int = 0
    cells: int = 0
    columns: set[bytes] = field(default_factory=set)
    last_row: int = 0
    implied: bool = False
    rows: int = 0
    last_row_told: int = 0
    hidden: int = 0
    hidden_rows: int = 0
    widest: int = 0
    width: int = 0
    is_sheet: bool = False
    texts: list[int] = field(default_factory=list)

    def add(self, piece: bytes) -> None:
        """Look through the next whole tags."""
        self.is_sheet = self.is_sheet or b"sheetData" in piece
        self.texts += [self.size + each.start() for each in _TEXT.finditer(piece)]
        cells = len(_CELL.findall(piece))
        found = (_PREFIXED_PLACE if _PREFIXED.search(piece) else _PLACE).findall(piece)
        self.cells += cells
        if cells > len(found):
            self.implied = True
            self.hidden += cells - len(found) - len(_PLAIN_CELL.findall(piece))
        self.columns |= {column for column, _, empty in found if not empty}
        rows = {row for _, row, empty in found if not empty}
        self.last_row = max(self.last_row, *(int(row[:_LONGEST_PLACE]) for row in rows)) if rows else self.last_row
        self._add_rows(piece, cells)
        self.size += len(piece)

    def _add_rows(self, piece: bytes, cells: int) -> None:
        starts, told = [each.start() for each in _ROW.finditer(piece)], _ROW_PLACE.findall(piece)
        self.rows += len(starts)
        self.last_row_told = max(self.last_row_told, *(int(row[:_LONGEST_PLACE]) for row in told), 0)
        if len(starts) > len(told):
            self.hidden_rows += len(starts) - len(told) - len(_PLAIN_ROW.findall(piece))
        if self.implied:
            edges = np.searchsorted([each.start() for each in _CELL.finditer(piece)], starts)
            widths = np.diff(edges, prepend=0, append=cells)
            widths[0] += self.width
            self.widest, self.width = max(self.widest, int(widths.max())), int(widths[-1])

    @property
    def rectangle(self) -> int:
        """Places from the first one of the sheet to the last one that may be in use."""
        last_column = max((_number_of(each) for each in self.columns), default=0)
        if self.implied:
            return (max(self.last_row, self.last_row_told) + self.rows) * (last_column + self.widest)
        return self.last_row * last_column


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column[:_LONGEST_PLACE].upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def check_workbook(path: Path, limits: Limits) -> None:
    """Refuse a workbook that unpacks to more than allowed, or takes more room than that, whatever it says of itself.

    Raises:
        UnreadableFileError: breaks off, damaged, or it hides the places of its cells.
        FileTooLargeError: beyond the limits.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts: list[_Part] = []
            for each in archive.infolist():
                part = _Part()
                for piece in _tags(archive, each, limits.sheet_bytes - sum(one.size for one in parts)):
                    part.add(piece)
                parts.append(part)
            _refuse_wide(parts, limits)
            _refuse_long_texts(archive, parts, limits)
    except BROKEN as error:
        detail = "The workbook breaks off, is damaged or locked by a password; save it again and send the new one."
        raise UnreadableFileError(detail) from error


def _tags(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> Iterator[bytes]:
    """A file of a workbook in pieces that end before a tag."""
    # The directory may lie: what is packed is read to its end, and its checksum compared.
    member.file_size = 1 << 62
    size, rest = 0, b""
    with archive.open(member) as opened:
        while piece := opened.read(_PIECE):
            size += len(piece)
            if size > most:
                raise _too_large()
            whole = rest + piece
            cut = whole.rfind(b"<")
            yield whole[:cut] if cut >= 0 else whole
            rest = whole[cut:] if cut >= 0 else b""
            if len(rest) > _PIECE:
                raise zipfile.BadZipFile
    yield rest


def _too_large() -> FileTooLargeError:
    return FileTooLargeError("Unpacked, the workbook is larger than allowed; send it as CSV.")


def _refuse_wide(parts: list[_Part], limits: Limits) -> None:
    for part in (each for each in parts if each.is_sheet):
        if part.hidden > 0 or (part.implied and part.hidden_rows > 0):
            detail = "The workbook hides the places of its cells; open it in a spreadsheet program and save it anew."
            raise UnreadableFileError(detail)
        if part.rectangle * _CELL_BYTES > limits.sheet_bytes:
            detail = "The sheet spans too many cells; remove what stands apart from the table, or send it as CSV."
            raise FileTooLargeError(detail)


def _refuse_long_texts(archive: zipfile.ZipFile, parts: list[_Part], limits: Limits) -> None:
    """Refuse cells that, each with its text, take more room than allowed."""
    lengths = np.concatenate(
        [np.diff(each.texts, append=each.size) for each in parts if each.texts] or [np.zeros(1, dtype=np.int64)]
    )
    if lengths.max() * sum(each.cells for each in parts) <= limits.sheet_bytes:
        return
    room = 0
    for member, part in zip(archive.infolist(), parts, strict=True):
        for piece in _tags(archive, member, part.size) if part.is_sheet else ():
            said = np.array([int(each) for each in _VALUE.findall(piece)], dtype=np.int64)
            room += int(lengths[said[said < len(lengths)]].sum())
            if room > limits.sheet_bytes:
                raise _too_large()
