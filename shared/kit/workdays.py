"""Working days of mainland China: weekends, public holidays, and the weekends worked in exchange."""

from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

_FRIDAY = 4


# Ten years of days: deadlines ask of the same few hundred by the ten thousand.
@lru_cache(maxsize=3_660)
def is_working_day(day: date) -> bool:
    """Whether offices work on a day; where the holidays of its year are not announced yet, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() <= _FRIDAY


def after_working_days(start: date, days: int) -> date:
    """The `days`-th working day after `start`, which itself does not count."""
    day = start
    for _ in range(days):
        day += timedelta(days=1)
        while not is_working_day(day):
            day += timedelta(days=1)
    return day
