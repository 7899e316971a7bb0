"""Dues: what is advised, paid back and claimed for the months of one period adds up, to the fen."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.dues import Amount, Span, most_between, not_due

MONTHS = st.sampled_from([1, 3, 6, 12])
FEN = st.integers(1, 10**7)


@pytest.mark.parametrize(
    ("months", "first", "end", "count"),
    [
        (1, date(2023, 7, 1), None, 1),
        (1, date(2023, 8, 1), None, 0),
        (3, date(2023, 9, 1), None, 1),
        (3, date(2023, 1, 1), None, 3),
        (3, date(2023, 10, 1), None, 0),
        (12, date(2024, 1, 1), None, 6),
        (3, date(2023, 8, 1), date(2023, 9, 1), 1),
        (3, date(2023, 8, 1), date(2023, 8, 1), 0),
        (3, date(2023, 1, 1), date(2023, 7, 1), 0),
    ],
)
def test_months_of_a_period_are_counted_between_two_days(months, first, end, count):
    assert len(Span(first=first, end=end).months_of(date(2023, 7, 1), months)) == count


@pytest.mark.parametrize(
    ("paid", "months", "stopped", "parts"),
    [
        ([60_000], 3, 1, [20_000]),
        ([40_000], 3, 1, [0]),  # the other months alone, as advised
        ([50_000], 3, 1, [10_000]),
        ([66_000], 3, 1, [22_000]),  # more than the roster said, for every month alike
        ([1_000], 3, 3, [1_000]),
        ([40_000, 20_000], 3, 1, [0, 20_000]),
        ([40_000, 40_000], 3, 0, [0, 0]),  # several lists may pay one period
        ([60_001], 3, 1, [20_000]),  # a part of a fen is the person's
    ],
)
def test_of_payments_for_a_period_only_what_its_other_months_do_not_make_was_not_due(paid, months, stopped, parts):
    assert not_due(paid, 20_000, months, stopped) == parts


@given(st.data(), MONTHS, FEN, st.lists(FEN, max_size=4))
def test_no_month_that_was_due_is_claimed_and_none_that_was_not_is_left(data, months, monthly, more):
    stopped = data.draw(st.integers(0, months))
    advised = [monthly * (months - stopped)] if stopped < months else []
    assert not_due(advised, monthly, months, stopped) == [0] * len(advised)
    assert not_due([monthly * months], monthly, months, stopped) == [monthly * stopped]
    paid = [*advised, *more]
    parts = not_due(paid, monthly, months, stopped)
    assert all(0 <= part <= fen for part, fen in zip(parts, paid, strict=True))
    if stopped == months:
        assert parts == paid
    elif stopped and max(more, default=0) <= monthly * months:
        assert sum(parts) == sum(more)  # what came beside it is all of it too much


def test_a_list_may_have_been_advised_by_any_amount_from_its_period_to_its_payment():
    amounts = [Amount(from_on=date(1, 1, 1), fen=10), Amount(from_on=date(2023, 5, 1), fen=30),
               Amount(from_on=date(2023, 8, 1), fen=20)]  # fmt: skip
    days = [(date(2023, 4, 1), date(2023, 4, 9)), (date(2023, 4, 1), date(2023, 5, 9)), (date(2023, 7, 1), date(2023, 8, 9)),
            (date(2023, 9, 1), date(2023, 9, 9))]  # fmt: skip
    assert [most_between(amounts, first, last) for first, last in days] == [10, 30, 30, 20]
