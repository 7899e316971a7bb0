"""Days in every form in which departments write them, parsed by columns: each distinct form once."""

import re
from datetime import date

import numpy as np
import polars as pl

from services.ingest.domain.columns import Array, is_day, matrix_of, number_at, places_of

_DAY, _SECONDS, _NINE = 10, 16, 9
_SEPARATORS = np.frombuffer(b"-/.", dtype=np.uint8)
_BEFORE_TIME = np.frombuffer(b" T", dtype=np.uint8)
_HEAD = 11  # as long as a day without spaces; whatever follows is the time of day
# A month stands alone only where no day, not even a broken one, follows: nothing is guessed.
_SEPARATED = re.compile(r"(\d{4})\s?[-/.年]\s?(\d{1,2})(?:\s?[-/.月]\s?(\d{1,2})(?!\d)|(?!\d)(?!\s?[-/.月]\s?\d))")
_COMPACT = re.compile(r"(\d{4})(\d{2})(?:(\d{2})|(?!\d))")
# With its zone: hour, minute, offset in hours and minutes, where there is one; else it is that of Greenwich.
_ZONED = r"[Tt ](\d{2}):?(\d{2})(?::?\d{2}(?:[.,]\d+)?)?\s*(?:[Zz]|UTC|GMT|([+-](?:0\d|1[0-4])):?([0-5]\d)?)$"
_SPAN = r" \d{2}:?\d{2}\s*-[\d:]+$"  # from one time of day to another
_HERE, _IN_DAY = 8 * 60, 24 * 60
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
    """Days of a column of strings, in Shanghai where a time tells its zone; null where there is none."""
    texts = raw.cast(pl.String)
    days = _usual(texts)
    rest = (days.is_null() & texts.is_not_null()).arg_true()
    if not len(rest):
        return days
    unusual = texts.gather(rest).str.strip_chars()
    return days.scatter(rest, _moved(unusual, _parsed(unusual)))


def _moved(texts: pl.Series, days: pl.Series) -> pl.Series:
    """The days on which these instants were here."""
    instants = texts.str.contains(_ZONED) & ~texts.str.contains(_SPAN)
    zoned = (instants.fill_null(value=False) & days.is_not_null()).arg_true()
    if not len(zoned):
        return days
    told = texts.gather(zoned).str.extract_groups(_ZONED).struct.unnest()
    hour, minute, east, more = (told.to_series(place).cast(pl.Int64).fill_null(0) for place in range(4))
    west = told.to_series(2).str.starts_with("-").fill_null(value=False)
    offset = east * 60 + pl.select(pl.when(west).then(-more).otherwise(more)).to_series()
    later = (hour * 60 + minute - offset + _HERE) // _IN_DAY
    return days.scatter(zoned, (days.gather(zoned).to_physical() + later.cast(pl.Int32)).cast(pl.Date))


def _usual(texts: pl.Series) -> pl.Series:
    """Days of the forms that nearly all files have, 2023-05-01 with or without a time and 20230501; null elsewhere."""
    lengths = texts.str.len_bytes().fill_null(0).to_numpy()
    days = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[D]")
    for width, read in _USUAL.items():
        rows = np.flatnonzero(lengths == width)
        if len(rows):
            days[rows] = read(matrix_of(texts if len(rows) == len(texts) else texts.gather(rows), width))
    return pl.Series(days, dtype=pl.Date)


def _separated(matrix: Array) -> Array:
    places = places_of(matrix)
    digits = np.max(places[[0, 1, 2, 3, 5, 6, 8, 9]], axis=0) <= _NINE
    good = digits & (matrix[:, 4] == matrix[:, 7]) & np.isin(matrix[:, 4], _SEPARATORS)
    if len(places) > _DAY:
        good &= np.isin(matrix[:, _DAY], _BEFORE_TIME) & (matrix[:, _SECONDS] == ord(":"))
    return _days(good, number_at(places, 0, 4, np.uint16), number_at(places, 5, 7, np.uint16),
                 number_at(places, 8, 10, np.uint16))  # fmt: skip


def _compact(matrix: Array) -> Array:
    places = places_of(matrix)
    return _days(places.max(axis=0) <= _NINE, number_at(places, 0, 4, np.uint16), number_at(places, 4, 6, np.uint16),
                 number_at(places, 6, 8, np.uint16))  # fmt: skip


def _days(good: Array, year: Array, month: Array, day: Array) -> Array:
    months = (year.astype(np.int32) - 1970) * 12 + month - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (day.astype(np.int32) - 1)
    return np.where(good & is_day(year, month, day) & (year > 0), days, np.datetime64("NaT"))


_USUAL = {_DAY: _separated, 19: _separated, 8: _compact}


def _parsed(texts: pl.Series) -> pl.Series:
    """Days of trimmed texts of any form."""
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
