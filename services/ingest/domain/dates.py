"""Days in every form in which departments write them, parsed by columns: each distinct form once."""

import re
from datetime import date

import polars as pl

_HEAD = 11  # as long as a day without spaces; whatever follows is the time of day
# A month stands alone only where no day, not even a broken one, follows: nothing is guessed.
_SEPARATED = re.compile(r"(\d{4})\s?[-/.年]\s?(\d{1,2})(?:\s?[-/.月]\s?(\d{1,2})(?!\d)|(?!\d)(?!\s?[-/.月]\s?\d))")
_COMPACT = re.compile(r"(\d{4})(\d{2})(?:(\d{2})|(?!\d))")
_WIDE = str.maketrans({chr(0xFF10 + digit): str(digit) for digit in range(10)} | {"／": "/", "－": "-", "．": "."})


def parse_one(text: str, *, whole: bool = True) -> date | None:
    """The day a text begins with; a month alone is its first day; None when it is no day.

    Takes 2023-05-01, 2023/5/1, 2023.5.1, 20230501, 2023年5月1日, 2023-05, 202305, each with or without a time.

    Args:
        text: as it was written.
        whole: False where more may follow that was cut off: then a month does not stand alone.
    """
    head = text.strip().translate(_WIDE)
    found = _SEPARATED.match(head) or (_COMPACT.match(head) if head[:6].isdecimal() else None)
    if found is None or not (whole or found[3]):
        return None
    year, month, day = (int(part) if part else 1 for part in found.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def parse(raw: pl.Series) -> pl.Series:
    """Days of a column of strings; null where there is none."""
    texts = raw.cast(pl.String).str.strip_chars()
    days = _each(texts.str.slice(0, _HEAD), cut=_HEAD)
    rest = (days.is_null() & texts.is_not_null()).arg_true()
    # Rare forms, with spaces within, may be longer.
    return days.scatter(rest, _each(texts.gather(rest), cut=None)) if len(rest) else days


def _each(texts: pl.Series, *, cut: int | None) -> pl.Series:
    distinct = texts.unique().drop_nulls()
    if distinct.is_empty():
        return pl.Series([None] * len(texts), dtype=pl.Date)
    days = pl.Series([parse_one(text, whole=len(text) != cut) for text in distinct.to_list()], dtype=pl.Date)
    return texts.replace_strict(distinct, days, default=None, return_dtype=pl.Date)
