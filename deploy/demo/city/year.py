"""The year the city lives: day numbers counted from its first day, and the texts departments write for them."""

from datetime import date, timedelta

import numpy as np
import polars as pl

FIRST_ON = date(2022, 11, 1)
"""Day 0 of every day number."""
TODAY_ON = date(2023, 11, 1)
"""Business day on which the files are uploaded."""
DAYS = 365
"""Days lived: 0 .. 364."""
TODAY = 365
EARLIEST = -900
"""Earliest day number that has a text."""
LATEST = 500

MONTHS = [(2022, 11), (2022, 12), *((2023, month) for month in range(1, 11))]
"""The twelve months of the year, in order."""


def number_of(day: date) -> int:
    """Day number of a date."""
    return (day - FIRST_ON).days


def date_of(number: int) -> date:
    """Date of a day number."""
    return FIRST_ON + timedelta(days=number)


def month_starts() -> np.ndarray:
    """First day numbers of the twelve months and the day after the last, shape (13,)."""
    return np.array([number_of(date(year, month, 1)) for year, month in MONTHS] + [DAYS], dtype=np.int16)


MONTH_STARTS = month_starts()


def month_of(days: np.ndarray) -> np.ndarray:
    """Index of the month of each day number, clipped to the year."""
    found = np.searchsorted(MONTH_STARTS, days, side="right") - 1
    return np.clip(found, 0, 11).astype(np.int16)


def texts(pattern: str) -> pl.Series:
    """Text of every day number from EARLIEST to LATEST; `{y} {m} {d} {mm} {dd}` are the parts of the date."""
    days = [date_of(number) for number in range(EARLIEST, LATEST + 1)]
    return pl.Series(
        [pattern.format(y=day.year, m=day.month, d=day.day, mm=f"{day.month:02}", dd=f"{day.day:02}") for day in days]
    )
