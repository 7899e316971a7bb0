"""Citizen id numbers (GB 11643): division, birth date, sequence, check digit (ISO 7064 MOD 11-2); and spoilt ones."""

import numpy as np
import polars as pl
import pyarrow as pa

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int32)
_CHECKS = np.frombuffer(b"10X98765432", dtype=np.uint8)
_FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
_STEP = 37
_SEQUENCES = 500
_LONG = 18


def sequences(rng: np.random.Generator, prefix: np.ndarray, born: np.ndarray, male: np.ndarray) -> np.ndarray:
    """A sequence number 0..999 for each person, odd for men, unique within division, birth date and sex."""
    key = (prefix.astype(np.int64) * 100_000 + (born + 50_000)) * 2 + male
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    starts = np.flatnonzero(first)
    rank = np.arange(len(key)) - np.repeat(starts, np.diff(np.append(starts, len(key))))
    offset = np.repeat(rng.integers(0, _SEQUENCES, len(starts)), np.diff(np.append(starts, len(key))))
    numbers = np.empty(len(key), dtype=np.int32)
    numbers[order] = (offset + rank * _STEP) % _SEQUENCES * 2 + male[order]
    return numbers


def make_ids(prefix: np.ndarray, born: np.ndarray, sequence: np.ndarray) -> pl.Series:
    """18-character ids of persons; `born` counts days since 1970-01-01."""
    days = born.astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    months = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    month_days = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    digits = np.empty((len(born), 18), dtype=np.uint8)
    for numbers, start, width in (
        (prefix, 0, 6),
        (years, 6, 4),
        (months, 10, 2),
        (month_days, 12, 2),
        (sequence, 14, 3),
    ):
        for place in range(width):
            digits[:, start + width - 1 - place] = numbers // 10**place % 10
    remainders = (digits[:, :17].astype(np.int32) @ _WEIGHTS) % 11
    digits += ord("0")
    digits[:, 17] = _CHECKS[remainders]
    return from_bytes(digits)


def from_bytes(characters: np.ndarray) -> pl.Series:
    """Texts of equal length from their bytes, shape (n, length)."""
    count, length = characters.shape
    offsets = np.arange(count + 1, dtype=np.int64) * length
    array = pa.LargeStringArray.from_buffers(
        count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))
    )
    return pl.Series(pl.from_arrow(array)).rechunk()


def check_digit(body: str) -> str:
    """Check digit of the first seventeen digits."""
    total = sum(int(digit) * int(weight) for digit, weight in zip(body[:17], _WEIGHTS, strict=True))
    return chr(_CHECKS[total % 11])


def is_valid(text: str) -> bool:
    """Whether an 18-character id carries its check digit."""
    return len(text) == _LONG and text[:17].isdigit() and check_digit(text) == text[17]


def other_form(text: str, chance: float) -> str:
    """The same number as another clerk or system would write it: chance in 0..1 chooses how."""
    if chance < 0.35 and text.startswith("19", 6):  # noqa: PLR2004
        return text[:6] + text[8:17]
    if chance < 0.6:  # noqa: PLR2004
        return f" {text}" if chance < 0.45 else f"{text} "  # noqa: PLR2004
    if chance < 0.8:  # noqa: PLR2004
        return text.translate(_FULL_WIDTH)
    return text.lower()


def with_wrong_check_digit(text: str, chance: float) -> str:
    """The number with one character of its end mistyped."""
    others = [digit for digit in "0123456789" if digit != text[17]]
    return text[:17] + others[int(chance * len(others))]


def malformed(text: str, chance: float) -> str:
    """Something that cannot be a citizen id: too short, a birthday that never was, or letters."""
    forms = (text[:17], text[:10] + "1332" + text[14:], f"{text[:6]}********{text[14:]}", "无")
    return forms[int(chance * len(forms))]
