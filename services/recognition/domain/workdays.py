"""Working days of mainland China: weekends, public holidays, and the weekends worked in exchange."""

from datetime import date, timedelta
from itertools import count
from typing import Final

import chinese_calendar

FRIDAY: Final = 4


def is_working_day(day: date) -> bool:
    """Whether offices work on `day`; where the holidays of its year are not announced yet, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() <= FRIDAY


def add_working_days(start: date, days: int) -> date:
    """The `days`-th working day after `start`, which itself does not count."""
    left = days
    for step in count(1):
        day = start + timedelta(days=step)
        left -= is_working_day(day)
        if left <= 0:
            return day
    raise AssertionError  # count() never ends
