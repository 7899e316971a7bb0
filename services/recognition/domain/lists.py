"""Lists of people as partners send them, judged by columns: ids, amounts, references, and who stands twice."""

import numpy as np
import polars as pl
import pyarrow as pa

from services.recognition.domain.citizen_id import normalise

BAD_ID = "bad_citizen_id"
BAD_AMOUNT = "bad_amount"
BAD_REF = "bad_ref"
DUPLICATE = "duplicate_line"

REF = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$"
"""A partner's own reference of a line; it comes back with the answer."""

_LONG, _FIRST_YEAR, _LAST_YEAR, _NINE = 18, 1, 9999, 9
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.uint16)
_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)
_ZERO = np.uint8(ord("0"))
_LENGTHS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.uint16)
_FEBRUARY, _LEAP_DAY, _MONTHS = 2, 29, 12
_YUAN = r"^(\d{1,9})(?:\.(\d{1,2}))?$"
_WIDEST_ID = 200


def normalise_many(written: pl.Series) -> pl.Series:
    """What `citizen_id.normalise` makes of each text, null for what is no citizen id; millions a second.

    Nearly every id comes as it should be and is checked by columns; the others are looked at one by one.
    """
    texts = written.cast(pl.String)
    good = np.zeros(len(texts), dtype=bool)
    long = np.flatnonzero(texts.str.len_bytes().fill_null(0).to_numpy() == _LONG)
    if len(long):
        good[long] = _right(_matrix(texts.gather(long)))
    odd = np.flatnonzero(~good)
    if not len(odd):
        return texts
    mended = [normalise(each) if each is not None and len(each) <= _WIDEST_ID else None for each in texts.gather(odd)]
    return texts.scatter(odd, pl.Series(mended, dtype=pl.String))


def _matrix(texts: pl.Series) -> np.ndarray:
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.asarray(np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]].reshape(-1, _LONG))


def _right(matrix: np.ndarray) -> np.ndarray:
    """Whether each row of 18 ASCII bytes is a citizen id as it is kept."""
    digits = np.ascontiguousarray(matrix.T) - _ZERO
    shaped = (digits[:17].max(axis=0) <= _NINE) & (digits[0] >= 1)
    sums = (digits[:17].astype(np.uint16) * _WEIGHTS[:, None]).sum(axis=0, dtype=np.uint32)
    return np.asarray(shaped & (_CHECK[sums % 11] == matrix[:, 17]) & _born(digits))


def _born(digits: np.ndarray) -> np.ndarray:
    year, month, day = (_number(digits, start, stop) for start, stop in ((6, 10), (10, 12), (12, 14)))
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    in_year = (month >= 1) & (month <= _MONTHS) & (year >= _FIRST_YEAR)
    longest = _LENGTHS[np.where(in_year, month, 0)]
    return np.asarray(in_year & (day >= 1) & (day <= longest) & ((month != _FEBRUARY) | (day < _LEAP_DAY) | leap))


def _number(digits: np.ndarray, start: int, stop: int) -> np.ndarray:
    number = digits[start].astype(np.uint32)
    for place in digits[start + 1 : stop]:
        number = number * np.uint32(10) + place
    return np.asarray(number)


def fen_of_yuan(written: pl.Series) -> pl.Series:
    """Amounts in yuan with at most two decimals as integer fen; null for what is no amount above zero."""
    parts = written.cast(pl.String).str.strip_chars().str.extract_groups(_YUAN).struct.unnest()
    cents = parts["2"].fill_null("0").str.pad_end(2, "0").cast(pl.Int64, strict=False)
    fen = parts["1"].cast(pl.Int64, strict=False) * 100 + cents
    return fen.replace({0: None})


def fen_of_fen(written: pl.Series) -> pl.Series:
    """Amounts in fen; null for what is no whole number above zero."""
    plain = written.cast(pl.String).str.strip_chars().str.extract(r"^(\d{1,11})$", 1)
    return plain.cast(pl.Int64, strict=False).replace({0: None})


def repeated(subjects: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Whether a person stood in an earlier line already.

    Args:
        subjects: shape (n, 16), uint8.
        known: whether a line has a person at all.
    """
    again = np.zeros(len(known), dtype=bool)
    rows = np.flatnonzero(known)
    halves = np.ascontiguousarray(subjects[rows]).view(np.uint64)
    # Sorted, a person's lines stand beside each other in their order; a hash of them takes four times the memory.
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    halves = halves[order]
    again[rows[order[1:]]] = (halves[1:] == halves[:-1]).all(axis=1)
    return again


LIST_SCHEMA = pa.schema(
    {
        "line": pa.int64(),
        "subject": pa.binary(16),
        "amount_fen": pa.int64(),
        "ref": pa.string(),
        "problem": pa.string(),
    }
)
"""A list as it is kept: subjects, never ids; a line with a problem has no subject."""
