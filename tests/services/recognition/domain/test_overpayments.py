"""Overpayments: every fen that was paid too much is accounted for, in whatever order it comes back."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.overpayments import (
    AmountError,
    Balance,
    RecoveryKind,
    book,
    cut,
    instalments,
    late_fen,
    still_due,
)

FEN = st.integers(1, 10**9)
COMING = st.lists(st.tuples(st.sampled_from(RecoveryKind), st.integers(-5, 10**9)), max_size=20)


@given(FEN, COMING)
def test_what_is_booked_and_what_is_left_add_up_to_the_fen(due, coming):
    balance, booked = Balance(due=due), 0
    for kind, fen in coming:
        try:
            balance = book(balance, kind, fen)
        except AmountError:
            assert fen <= 0 or fen > balance.left
            continue
        booked += fen
        assert balance.left == due - booked
        assert balance.left >= 0
        assert balance.settled == (booked == due)
    assert balance.recovered + balance.written_off == booked


@given(FEN, FEN)
def test_a_partly_recovered_case_stays_open(due, part):
    balance = book(Balance(due=due + part), RecoveryKind.PAID, part)
    assert not balance.settled
    assert book(balance, RecoveryKind.WRITTEN_OFF, due).settled


@given(st.integers(1, 10**8), st.integers(1, 120), st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_a_plan_adds_up_exactly_in_nearly_equal_parts_a_month_apart(fen, count, first_on):
    if count > fen:
        with pytest.raises(AmountError):
            instalments(fen, count, first_on)
        return
    plan = instalments(fen, count, first_on)
    amounts = [part.amount_fen for part in plan]
    assert sum(amounts) == fen
    assert max(amounts) - min(amounts) <= 1
    assert amounts == sorted(amounts, reverse=True)
    assert [part.number for part in plan] == list(range(1, count + 1))
    months = [part.due_on.year * 12 + part.due_on.month for part in plan]
    assert months == list(range(months[0], months[0] + count))
    assert all(part.due_on.day <= first_on.day for part in plan)


def test_a_plan_of_the_last_of_a_month_keeps_to_the_ends_of_months():
    days = [part.due_on for part in instalments(300, 3, date(2024, 1, 31))]
    assert days == [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]


@given(st.integers(10, 10**6), st.integers(1, 10), st.integers(0, 10**6), st.integers(0, 400))
def test_what_a_plan_is_behind_is_what_should_have_come(fen, count, recovered, days):
    plan = instalments(fen, count, date(2023, 12, 31))
    today = date(2023, 12, 31) + timedelta(days=days)
    behind = late_fen(plan, recovered, today)
    expected = sum(part.amount_fen for part in plan if part.due_on < today)
    assert behind == max(0, expected - recovered)


@pytest.mark.parametrize(
    ("due", "paid", "written_off", "let_go", "at_most", "after", "refund"),
    [
        (60, 0, 0, 20, 20, (40, 0, 0), 0),
        (60, 20, 20, 20, 20, (40, 20, 20), 0),  # what was given up stays so
        (60, 20, 20, 50, 50, (10, 0, 10), 20),
        (60, 30, 0, 40, 40, (20, 20, 0), 10),
        (60, 30, 0, 60, 60, (0, 0, 0), 30),
        (60, 30, 0, 20, 60, (30, 30, 0), 0),  # of the months that wait as much as came back, and nothing more
        (60, 50, 0, 20, 60, (40, 40, 0), 10),
        (60, 0, 0, 20, 60, (0, 0, 0), 0),
    ],
)
def test_a_lift_hands_out_what_came_back_of_months_that_are_paid_again(  # noqa: PLR0917
    due, paid, written_off, let_go, at_most, after, refund
):
    before = Balance(due=due, paid=paid, written_off=written_off)
    left = cut(before, still_due(before, let_go, at_most))
    assert (left.due, left.paid, left.written_off) == after
    assert before.recovered - left.recovered == refund
