"""Citizen identity numbers (GB 11643): cleaned and checked by columns, millions a second.

Check digit: ISO 7064 MOD 11-2 over the first 17 digits.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.ingest.domain.columns import Array, is_day, matrix_of, number_at, places_of, texts_of

GOOD, MISSING, MALFORMED, BAD_CHECK = 0, 1, 2, 3
_LONG, _SHORT = 18, 15
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.uint8)
_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)
_NINE = 9
_FIRST_YEAR = 1880
_WIDE = {chr(0xFF10 + digit): str(digit) for digit in range(10)} | {"\uff38": "X", "\uff58": "X"}
_BLANK = r"[\s\u3000\u00a0\ufeff'\-]"


@dataclass(frozen=True, slots=True)
class Checked:
    """Numbers as they should be, and what is wrong with those that are not.

    Attributes:
        numbers: 18 characters where `fault` is GOOD; else whatever was left after cleaning.
        fault: uint8, GOOD | MISSING | MALFORMED | BAD_CHECK.
    """

    numbers: pl.Series
    fault: Array


def check(raw: pl.Series, *, this_year: int) -> Checked:
    """Trim, full width to half width, `x` to `X`, 15 to 18 digits, plausible birth date, check digit.

    Args:
        raw: strings of any quality, nulls allowed.
        this_year: nobody is born later.
    """
    numbers = raw.cast(pl.String)
    fault = _faults(numbers, this_year)
    # Nearly every number comes as it should; only the others pay for cleaning.
    odd = np.flatnonzero(fault != GOOD)
    if len(odd):
        cleaned = _lengthened(_clean(numbers.gather(odd)))
        fault[odd] = _faults(cleaned, this_year)
        numbers = numbers.scatter(odd, cleaned)
    return Checked(numbers, fault)


def _clean(text: pl.Series) -> pl.Series:
    text = text.str.replace_many(list(_WIDE), list(_WIDE.values()))
    return text.str.replace_all(_BLANK, "").str.to_uppercase()


def _faults(numbers: pl.Series, this_year: int) -> Array:
    lengths = numbers.str.len_bytes().fill_null(0).to_numpy()
    fault = np.where(lengths == 0, MISSING, MALFORMED).astype(np.uint8)
    rows = np.flatnonzero(lengths == _LONG)
    if len(rows):
        chosen = numbers if len(rows) == len(numbers) else numbers.gather(rows)
        fault[rows] = _fault_of(matrix_of(chosen, _LONG), this_year)
    return fault


def check_digits(first17: Array) -> Array:
    """Check characters (uint8) of an array of ASCII digits, shape (n, 17)."""
    return _check_of(places_of(first17))


def _check_of(places: Array) -> Array:
    sums = np.zeros(places.shape[1], dtype=np.uint16)
    for weight, place in zip(_WEIGHTS, places, strict=False):
        sums += place * weight
    return _CHECK[sums % 11]


def _lengthened(clean: pl.Series) -> pl.Series:
    """15-digit numbers of the first generation become 18: century 19 and the check digit are added."""
    short = clean.str.contains(r"^[0-9]{15}$").fill_null(value=False).arg_true()
    if short.is_empty():
        return clean
    matrix = matrix_of(clean.gather(short), _SHORT)
    nineteen = np.tile(np.frombuffer(b"19", dtype=np.uint8), (len(matrix), 1))
    first17 = np.hstack([matrix[:, :6], nineteen, matrix[:, 6:]])
    return clean.scatter(short, texts_of(np.hstack([first17, check_digits(first17)[:, None]])))


def _fault_of(matrix: Array, this_year: int) -> Array:
    places, last = places_of(matrix), matrix[:, 17]
    digits = places[:17].max(axis=0) <= _NINE
    # No division of GB/T 2260 begins with a zero.
    shaped = digits & (places[0] >= 1) & ((places[17] <= _NINE) | (last == ord("X")))
    right = _check_of(places[:17]) == last
    year, month = number_at(places, 6, 10, np.uint16), number_at(places, 10, 12, np.uint16)
    born = (year >= _FIRST_YEAR) & (year <= this_year) & is_day(year, month, number_at(places, 12, 14, np.uint16))
    return np.where(~(shaped & born), MALFORMED, np.where(right, GOOD, BAD_CHECK)).astype(np.uint8)


def codes_of(good: pl.Series) -> Array:
    """Good numbers as uint64: their first 17 digits, which fix the last character."""
    return number_at(places_of(matrix_of(good, _LONG)), 0, 17, np.uint64)


def birth_and_sex(numbers: pl.Series) -> pl.DataFrame:
    """`born_on` (date) and `sex` (male | female) that good 18-digit numbers carry."""
    return pl.DataFrame({"number": numbers}).select(
        born_on=pl.col("number").str.slice(6, 8).str.to_date("%Y%m%d", strict=False),
        sex=pl.when(pl.col("number").str.slice(16, 1).cast(pl.Int8, strict=False) % 2 == 1)
        .then(pl.lit("male"))
        .otherwise(pl.lit("female")),
    )
