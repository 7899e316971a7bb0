"""PDF pages with Chinese text: page, font, number at the foot; what stands on them is the caller's."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Literal

from fpdf import FPDF, FontFace, XPos, YPos
from fpdf.enums import TextMode

MM_LEFT, MM_TOP, MM_BOTTOM = 25.0, 25.0, 22.0
_FONT_PACKAGE, _FONT_FILE = "cvttf_NotoSansCJK_Regular", "NotoSansCJKtc-Regular.otf"
_FAMILY = "text"
_NEVER_FIRST = frozenset("、。，：；！？）》」』”’,.;:!?)%")
_STROKE = 0.25
"""Outline that makes the one weight of the font look bold, in millimetres."""


def font_file() -> AbstractContextManager[Path]:
    """The font's file, for others who draw Chinese text."""
    return resources.as_file(resources.files(_FONT_PACKAGE) / _FONT_FILE)


class Document(FPDF):
    """An A4 document: `text`, `heading`, `table`, then `done`. The whole of FPDF is there for anything else.

    One document takes most of a second, nearly all of it the font: put many letters into one, a page each.

    Args:
        title: of the file's metadata; no personal data, viewers show it in their windows.
        made_at: instant of the business clock; the same content at the same instant gives the same bytes.
        landscape: whether the long side lies.
        numbered: whether pages carry their number at the foot, as official documents do (GB/T 9704).
    """

    def __init__(self, title: str, *, made_at: datetime, landscape: bool = False, numbered: bool = True) -> None:
        super().__init__(orientation="landscape" if landscape else "portrait", format="A4")
        self._numbered = numbered
        self._widths: dict[tuple[float, str], float] = {}
        with font_file() as file:
            self.add_font(_FAMILY, fname=str(file))
        # The file's plain glyphs are the traditional ones; shaping for zh-Hans chooses the simplified.
        self.set_text_shaping(use_shaping_engine=True, script="hani", language="zh-hans")
        self.set_margins(MM_LEFT, MM_TOP)
        self.set_auto_page_break(auto=True, margin=MM_BOTTOM)
        self.set_title(title)
        self.set_lang("zh-CN")
        self.set_creation_date(made_at)
        self.set_font(_FAMILY, size=11)
        self.add_page()

    def footer(self) -> None:  # type: ignore[explicit-override]  # typing has the mark from Python 3.12 on
        """The page's number, between dashes."""
        if self._numbered:
            self.set_y(-MM_BOTTOM + 7)
            self.set_font(_FAMILY, size=9)
            self.cell(0, 5, f"— {self.page_no()} —", align="C")

    def heading(self, words: str, *, size: float = 16, align: Literal["L", "C", "R"] = "C") -> None:
        """A line that stands out."""
        self.set_font(_FAMILY, size=size)
        with self.local_context(text_mode=TextMode.FILL_STROKE, line_width=_STROKE):
            self.multi_cell(0, size * 0.6, words, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(size * 0.15)

    def text_block(self, words: str, *, size: float = 11, align: Literal["L", "C", "R", "J"] = "L") -> None:
        """A paragraph; Chinese breaks between any two characters."""
        self.set_font(_FAMILY, size=size)
        self.multi_cell(0, size * 0.6, self._broken(words), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _broken(self, words: str) -> str:
        """The same text with line ends where it fills the page; no line begins with a closing mark."""
        room, lines = self.epw - 2 * self.c_margin - 0.1, []
        for paragraph in words.split("\n"):
            line, used = "", 0.0
            for sign in paragraph:
                width = self._width_of(sign)
                if used + width > room:
                    kept = line[:-1] if sign in _NEVER_FIRST and len(line) > 1 else line
                    lines.append(kept)
                    line = line[len(kept) :]
                    used = self.get_string_width(line)
                line, used = line + sign, used + width
            lines.append(line)
        return "\n".join(lines)

    def _width_of(self, sign: str) -> float:
        # Asked of the library for every sign of every letter, it takes a third of the time of them all.
        key = (self.font_size_pt, sign)
        if key not in self._widths:
            self._widths[key] = self.get_string_width(sign)
        return self._widths[key]

    def grid(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        *,
        size: float = 9.5,
        colours: Sequence[tuple[int, int, int] | None] = (),
    ) -> None:
        """A ruled table whose head is repeated on every page.

        Args:
            head: words of the first line.
            rows: a line each; all as long as the head.
            widths: shares of the page's width.
            size: of the letters in points.
            colours: what lies behind a line, red, green and blue to 255; None or absent for white.
        """
        self.set_font(_FAMILY, size=size)
        with self.table(
            col_widths=tuple(widths),
            line_height=size * 0.62,
            padding=1,
            headings_style=FontFace(fill_color=(235, 235, 235)),
            wrapmode="CHAR",
        ) as made:
            made.row(list(head))
            for place, row in enumerate(rows):
                colour = colours[place] if place < len(colours) else None
                made.row(list(row), style=FontFace(fill_color=colour) if colour else None)

    def done(self) -> bytes:
        """The file; only the glyphs that were used are inside."""
        return bytes(self.output())
