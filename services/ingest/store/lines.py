"""Text cut into whole rows, some megabytes at once: how many cells each has, and which of them say nothing."""

import sys
from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from services.ingest.store.unpacking import Limits, Text

_WINDOW = 1 << 18


def _blank(delimiter: str) -> bytes:
    """What a line of nothing may hold."""
    return f"{delimiter} \t\r\n".encode()


def saying(block: bytes, frame: pl.DataFrame, ends: np.ndarray, delimiter: str) -> np.ndarray:
    """Which rows hold anything at all, be it in columns that nobody needs: a line of nothing is no row.

    Args:
        block: the rows as they stand in the file.
        frame: the same rows, columns as strings.
        ends: where each of them ends in the block.
        delimiter: between cells.
    """
    seen = ~frame.select(pl.all_horizontal((pl.all() < "!").fill_null(value=True))).to_series().to_numpy()
    if seen.all():
        return seen
    # Looked up in the bytes only where nothing can be seen in what was read of some rows.
    visible = np.ones(256, dtype=bool)
    visible[list(_blank(delimiter))] = False
    return np.logical_or.reduceat(visible[np.frombuffer(block, dtype=np.uint8)], np.append(0, ends[:-1] + 1))


def end_of_rows(path: Path, delimiter: str) -> int:
    """Where the last line ends in which anything stands: what a spreadsheet leaves behind it is no row."""
    nothing = _blank(delimiter)
    with path.open("rb") as opened:
        at = opened.seek(0, SEEK_END)
        while at:
            start = max(0, at - _WINDOW)
            opened.seek(start)
            if left := opened.read(at - start).rstrip(nothing):
                opened.seek(start + len(left))
                opened.readline()
                return opened.tell()
            at = start
    return 0


def blocks(text: Text, limits: Limits, *, heads: int = 1, end: int = sys.maxsize) -> Iterator[bytes]:
    """Whole rows below the heads, up to where the last one ends; in a text without quotation marks a line is a row."""
    with text.path.open("rb") as opened:
        for _ in range(heads):
            while not opened.readline().strip(b"\xef\xbb\xbf \t\r\n"):
                pass
        while block := opened.read(max(0, min(limits.block_bytes, end - opened.tell()))):
            block += b"" if block.endswith(b"\n") else opened.readline()
            yield block + _closing(opened, block.count(b'"')) if text.quoted else block


def _closing(opened: BinaryIO, marks: int) -> bytes:
    """The lines up to the one that closes a cell, after so many quotation marks."""
    lines = []
    while marks % 2 and (line := opened.readline()):
        lines.append(line)
        marks += line.count(b'"')
    return b"".join(lines)


def cells_of(block: bytes, delimiter: str, *, quoted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Number of cells of each row, and where it ends."""
    data = np.frombuffer(block, dtype=np.uint8)
    before, inside, found, lines = 0, np.uint8(0), [], []
    # In windows that stay in the processor's cache.
    for start in range(0, len(data), _WINDOW):
        some = data[start : start + _WINDOW]
        ends, between = some == ord("\n"), some == ord(delimiter)
        if quoted:
            outside = np.cumsum(some == ord('"'), dtype=np.uint8) + inside
            outside %= 2
            inside = outside[-1]
            ends &= outside == 0
            between &= outside == 0
        at, last = np.flatnonzero(between), np.flatnonzero(ends)
        found.append(np.searchsorted(at, last) + before)
        lines.append(last + start)
        before += len(at)
    if data[-1] != ord("\n"):
        found.append(np.array([before]))
        lines.append(np.array([len(data)]))
    return np.diff(np.concatenate(found), prepend=0) + 1, np.concatenate(lines)
