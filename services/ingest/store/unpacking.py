"""From the file as it was sent to a plain one: gzip, zstd and zip opened, text turned into UTF-8, within bounds."""

import codecs
import errno
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

from services.ingest.store.problems import FileTooLargeError, StorageFullError, UnreadableFileError

ZIP = b"PK\x03\x04"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE = 1 << 20
# A kilobyte of zstd can stand for some forty megabytes: no more than that is unpacked between two looks at the bound.
_PACKED_PIECE = 1 << 10
_SMALL = 1 << 16
_WINDOW = 1 << 27
BROKEN = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError, struct.error, RuntimeError,
    ValueError, OverflowError,
)  # fmt: skip
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_QUOTE = ord('"')
_MAY_OPEN = np.frombuffer(b',;\t|\n\r" \xbf', dtype=np.uint8)  # the last one ends a byte order mark
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read at most, against bombs and accidents; and how much at once.

    Attributes:
        cell_bytes: of Parquet.
        chunk_rows: rows of a chunk.
        chunk_bytes: of a chunk of fewer rows with long cells.
        block_bytes: text parsed at once.
    """

    plain_bytes: int
    ratio: int
    columns: int
    line_bytes: int
    sheet_bytes: int
    chunk_rows: int
    cell_bytes: int = 4096
    block_bytes: int = 1 << 23
    chunk_bytes: int = 1 << 27


@dataclass(frozen=True, slots=True)
class Text:
    """A text file in UTF-8, checked to its end.

    Attributes:
        path: where it is.
        quoted: whether a quotation mark occurs anywhere.
    """

    path: Path
    quoted: bool


@contextmanager
def room() -> Iterator[None]:
    """Tell a full disk, or a file grown as large as this process may write, from a damaged file.

    Raises:
        StorageFullError: no room for what is unpacked.
    """
    try:
        yield
    except OSError as error:
        # Libraries in Rust tell the number in their sentence only.
        if error.errno in _NO_ROOM or any(f"os error {number}" in str(error) for number in _NO_ROOM):
            detail = "There is no room to unpack or copy the file; the operator must make room, then try again."
            raise StorageFullError(detail) from error
        raise


def unpacked(path: Path, scratch: Path, limits: Limits) -> Path:
    """The file itself, or its unpacked copy.

    Raises:
        UnreadableFileError: breaks off, damaged, more than one file within.
        FileTooLargeError: unpacked it is beyond the limits.
    """
    with path.open("rb") as opened:
        head = opened.read(4)
    bound = min(limits.plain_bytes, max(path.stat().st_size, _SMALL) * limits.ratio)
    target = scratch / "plain"
    try:
        with room():
            if head.startswith(_GZIP):
                with gzip.open(path) as packed:
                    return _copied(_pieces(packed.read), target, bound)
            if head.startswith(_ZSTD):
                return _copied(_zstd_pieces(path), target, bound)
            if head.startswith(ZIP) and not _is_excel(path):
                return _unzipped(path, target, bound)
    except BROKEN as error:
        detail = "The packed file breaks off, is damaged or locked by a password; pack it again."
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
            return _copied(_pieces(packed.read), target, bound)


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while piece := read(_PIECE):
        yield piece


def _zstd_pieces(path: Path) -> Iterator[bytes]:
    unpacker, frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW), None
    with path.open("rb") as raw:
        while data := raw.read(_PACKED_PIECE):
            while data:
                frame = frame or unpacker.decompressobj()
                yield frame.decompress(data)
                data, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise EOFError


def _copied(pieces: Iterator[bytes], target: Path, bound: int) -> Path:
    size = 0
    with target.open("wb") as out:
        for piece in pieces:
            size += len(piece)
            if size > bound:
                detail = "Unpacked, the file is larger than allowed; split it."
                raise FileTooLargeError(detail)
            out.write(piece)
    return target


# ---- text ------------------------------------------------------------------------------------------------------------


def as_utf8(plain: Path, scratch: Path, limits: Limits) -> Text:
    """A text file in UTF-8, read to its end: a line too long or a byte out of place is found before a row is taken.

    Raises:
        UnreadableFileError: no text in UTF-8, GB18030 or UTF-16, or not of lines.
        StorageFullError: no room for the copy.
    """
    with plain.open("rb") as opened:
        head = opened.read(_SMALL)
    for encoding in _encodings(head):
        try:
            with room():
                return _decoded(plain, encoding, scratch / "utf8", limits)
        except UnicodeDecodeError:
            continue
    detail = "The file is neither UTF-8 nor GB18030 nor UTF-16 text, nor XLSX or Parquet; export it as CSV in UTF-8."
    raise UnreadableFileError(detail)


def _encodings(head: bytes) -> tuple[str, ...]:
    """In what a text may be written; in UTF-16 every second byte of its digits and delimiters is zero."""
    if head.startswith(_UTF16):
        return ("utf-16",)
    share = len(head) // 20
    if head[1::2].count(0) > share:
        return ("utf-16-le",)
    return ("utf-16-be",) if head[::2].count(0) > share else ("utf-8", "gb18030")


def _decoded(plain: Path, encoding: str, copy: Path, limits: Limits) -> Text:
    """Check a file against an encoding; anything but UTF-8 is copied into UTF-8."""
    decode = codecs.getincrementaldecoder(encoding)().decode
    already = encoding == "utf-8"
    quoted, open_line = False, 0
    with plain.open("rb") as opened, copy.open("wb") as out:
        while True:
            piece = opened.read(_PIECE)
            # The decoder is asked once more at the end: a character cut off there is an error too.
            text = decode(piece, final=not piece)
            if not already:
                out.write(text.encode())
            _refuse_nul(text, encoding)
            open_line = _open_line(text, open_line, limits.line_bytes)
            quoted = quoted or '"' in text
            if not piece:
                return Text(plain if already else copy, quoted)


def check_quotes(path: Path) -> None:
    """Refuse a CSV whose quotation marks do not pair: a reader would take many rows for one cell and lose them.

    A mark opens a cell only at its beginning; so every other mark must stand behind a delimiter or a line end.

    Raises:
        UnreadableFileError: a mark within a cell, or one that never closes.
    """
    inside, open_bytes, before, lines = False, 0, ord("\n"), 1
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE):
            data = np.frombuffer(piece, dtype=np.uint8)
            at = np.flatnonzero(data == _QUOTE)
            opening = at[int(inside) :: 2]
            previous = np.where(opening > 0, data[opening - 1], before)
            if stray := opening[~np.isin(previous, _MAY_OPEN)][:1].tolist():
                _refuse_quote(lines + piece.count(b"\n", 0, stray[0]))
            open_bytes = len(piece) - int(at[-1]) if len(at) else open_bytes + len(piece)
            inside ^= bool(len(at) % 2)
            if inside and open_bytes > _PIECE:
                _refuse_quote(lines)
            before, lines = piece[-1], lines + piece.count(b"\n")
    if inside:
        _refuse_quote(lines)


def _refuse_quote(line: int) -> None:
    detail = (
        f"Near line {line} a quotation mark stands within a cell or never closes; "
        "remove it, or let the program that exports double it."
    )
    raise UnreadableFileError(detail)


def _refuse_nul(text: str, encoding: str) -> None:
    if "\x00" in text:
        raise UnicodeDecodeError(encoding, b"", 0, 1, "NUL")


def _open_line(text: str, before: int, longest: int) -> int:
    """Length of the line that is still open behind `text`, in characters.

    Raises:
        UnreadableFileError: a line goes beyond `longest`.
    """
    first, last = text.find("\n"), text.rfind("\n")
    if before + (first if first >= 0 else len(text)) > longest:
        detail = f"A line is longer than {longest} bytes; this is not a table of records."
        raise UnreadableFileError(detail)
    return len(text) - last - 1 if last >= 0 else before + len(text)
