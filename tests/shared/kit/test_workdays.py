"""Days on which offices work."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.workdays import after_working_days, is_working_day


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2023, 11, 1), True),
        (date(2023, 11, 4), False),  # Saturday
        (date(2023, 10, 2), False),  # the national holiday
        (date(2023, 10, 7), True),  # Saturday worked in exchange
        (date(2099, 1, 1), True),  # not announced yet: Monday to Friday
        (date(2099, 1, 3), False),
    ],
)
def test_holidays_and_weekends_worked_in_exchange_are_known(day, works):
    assert is_working_day(day) is works


def test_the_day_itself_does_not_count():
    assert after_working_days(date(2023, 9, 28), 3) == date(2023, 10, 9)
    assert after_working_days(date(2023, 11, 4), 0) == date(2023, 11, 4)


@given(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(1, 30))
def test_adding_and_counting_agree(start, days):
    end = after_working_days(start, days)
    assert is_working_day(end)
    between = (start + timedelta(days=step) for step in range(1, (end - start).days + 1))
    assert sum(is_working_day(day) for day in between) == days
