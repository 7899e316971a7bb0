"""The words on the pages of a PDF as fpdf2 writes it: glyphs mapped back to characters by each font's own table."""

import re
import zlib

_STREAM = re.compile(rb"(<<(?:(?!endobj).)*?>>)\s*stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_SHOWN = re.compile(rb"\(((?:\\.|[^\\)])*)\)|<([0-9A-Fa-f]+)>", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def text_of(pdf: bytes) -> str:
    """What is written on all pages, in the order of drawing, without spaces between pieces."""
    glyphs: dict[int, str] = {}
    pages: list[bytes] = []
    for _head, body in _STREAM.findall(pdf):
        try:
            plain = zlib.decompress(body)
        except zlib.error:
            plain = body
        if b"beginbfchar" in plain:
            for code, text in _PAIR.findall(plain.split(b"beginbfchar", 1)[1]):
                glyphs[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
        elif b"Tj" in plain or b"TJ" in plain:
            pages.append(plain)
    return "".join(_piece(found, glyphs) for page in pages for found in _SHOWN.findall(page))


def _piece(found: tuple[bytes, bytes], glyphs: dict[int, str]) -> str:
    literal, hexadecimal = found
    raw = bytes.fromhex(hexadecimal.decode()) if hexadecimal else _unescaped(literal)
    codes = [int.from_bytes(raw[place : place + 2], "big") for place in range(0, len(raw), 2)]
    return "".join(glyphs.get(code, "") for code in codes)


def _unescaped(literal: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), literal, flags=re.DOTALL)
