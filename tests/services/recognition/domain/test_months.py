"""Months: certificates run to the end of one and never lengthen by being late."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.months import end_of_month, month_number, months_between, next_month, valid_until

days = st.dates(date(2000, 1, 1), date(2090, 12, 31))
cycles = st.integers(1, 36)


@pytest.mark.parametrize(
    ("as_of", "cycle", "cap", "until"),
    [
        (date(2018, 7, 3), 12, None, date(2019, 7, 31)),  # Guangdong's own example
        (date(2023, 1, 31), 1, None, date(2023, 2, 28)),
        (date(2024, 1, 31), 1, None, date(2024, 2, 29)),
        (date(2023, 12, 1), 12, None, date(2024, 12, 31)),
        (date(2023, 6, 15), 12, 6, date(2023, 12, 31)),
        (date(2023, 6, 15), 3, 6, date(2023, 9, 30)),
    ],
)
def test_a_certificate_runs_to_the_end_of_the_month_plus_the_cycle(as_of, cycle, cap, until):
    assert valid_until(as_of, cycle, cap) == until


@given(days, cycles)
def test_the_last_valid_day_ends_a_month(as_of, cycle):
    until = valid_until(as_of, cycle)
    assert (until + timedelta(days=1)).day == 1
    assert month_number(until) - month_number(as_of) == cycle


@given(days, days, cycles)
def test_older_evidence_never_lasts_longer(one, other, cycle):
    assert (one <= other) <= (valid_until(one, cycle) <= valid_until(other, cycle))


@given(days, cycles, cycles)
def test_a_cap_never_lengthens(as_of, cycle, cap):
    assert valid_until(as_of, cycle, cap) <= valid_until(as_of, cycle)


@given(days)
def test_the_end_of_a_month_is_the_day_before_the_next(day):
    assert end_of_month(day) + timedelta(days=1) == next_month(day)
    assert months_between(day, end_of_month(day)) == 1


def test_months_between_never_go_below_zero():
    assert months_between(date(2023, 5, 1), date(2023, 1, 1)) == 0
