"""The back-pay table of the field, row by row (《社会保险经办》 practice, domain reference section 4b)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.arrears import (
    DEFAULT_RULES,
    BackPay,
    Found,
    Pause,
    ends_too_early,
    lifted_by,
    owed_fen,
    resumes_from,
)
from services.recognition.domain.dues import Amount, Span
from services.recognition.domain.months import month_start, next_month
from services.recognition.domain.owed import owed_words
from services.recognition.domain.programs import ArrearsRule, EndingEvent, SuspensionReason

FROM, PASSED, LIFTED = date(2023, 3, 1), date(2023, 6, 15), date(2023, 9, 2)
AMOUNTS = [Amount(from_on=date(2020, 1, 1), fen=10_000), Amount(from_on=date(2023, 5, 1), fen=12_000)]
MONTHS = st.integers(2020 * 12, 2026 * 12).map(month_start)

ROWS = [
    # reason, when asked, first month due again, arrears where it is lifted at once, first month owed where it is late
    ("overdue", None, date(2023, 7, 1), 40_000, FROM),
    ("imprisonment", None, date(2023, 7, 1), 0, date(2023, 7, 1)),
    ("imprisonment", date(2023, 8, 3), date(2023, 7, 1), 0, date(2023, 9, 1)),
    ("imprisonment", date(2023, 5, 3), date(2023, 7, 1), 0, date(2023, 7, 1)),
    ("detained_acquitted", None, date(2023, 7, 1), 40_000, FROM),
    ("detained_convicted", None, date(2023, 7, 1), 0, date(2023, 7, 1)),
    ("missing_returned", None, date(2023, 7, 1), 10_000 + 10_000 + 12_000 + 12_000, FROM),
    ("missing_declared_dead", None, date(2023, 7, 1), 0, date(2023, 7, 1)),
    ("false_death", None, date(2023, 6, 1), 30_000, FROM),
    ("not_confirmed", None, date(2023, 7, 1), 40_000, FROM),
    ("employed", None, date(2023, 7, 1), 0, date(2023, 7, 1)),
    ("own_request", date(2023, 5, 20), date(2023, 7, 1), 20_000, date(2023, 5, 1)),
    ("own_request", None, date(2023, 7, 1), 0, date(2023, 10, 1)),
]


def arrears_fen(pause, rule, amounts, gaps=()):
    owed = Span(first=pause.owed_from(rule), end=pause.paid_again_from, gaps=tuple(gaps))
    return owed_fen(owed, rule, amounts, pause.suspended_from)


def test_every_row_of_the_table_is_here():
    assert {reason for reason, *_ in ROWS} == set(SuspensionReason) == set(DEFAULT_RULES)


@pytest.mark.parametrize(("reason", "requested_on", "again", "fen", "owed_from"), ROWS)
def test_row(reason, requested_on, again, fen, owed_from):
    why = SuspensionReason(reason)
    rule = DEFAULT_RULES[why]
    assert resumes_from(why, PASSED) == again
    days = {"passed_on": PASSED, "requested_on": requested_on}
    assert arrears_fen(Pause(reason=why, suspended_from=FROM, paid_again_from=again, **days), rule, AMOUNTS) == fen
    late = Pause(reason=why, suspended_from=FROM, paid_again_from=next_month(LIFTED), **days)
    assert late.owed_from(rule) == owed_from


@pytest.mark.parametrize("reason", SuspensionReason)
def test_what_has_an_end_ended_on_no_day_before_it_began(reason):
    free = {"overdue", "not_confirmed", "own_request", "false_death", "missing_declared_dead"}
    days = {date(2023, 2, 28): reason not in free, date(2023, 3, 1): False}
    assert {day: ends_too_early(reason, date(2023, 3, 1), day) for day in days} == days
    assert not ends_too_early(reason, None, date(2023, 2, 28))


def test_an_officer_reads_from_when_what_is_owed_and_why():
    assert owed_words(
        {each: DEFAULT_RULES[each] for each in sorted(lifted_by(EndingEvent.IMPRISONMENT, ended=False))}
    ) == (
        "认定无罪的，自停发首月起全部补发；判刑后获释的、已获释的，停发事由存续期间不补，自其结束（passed_on）次月起补发；"
        "本人申请恢复（requested_on）更晚的，自申请次月起"
    )
    assert all(owed_words({reason: rule}) for reason in SuspensionReason for rule in ArrearsRule)


@pytest.mark.parametrize("rule", ArrearsRule)
def test_nothing_is_paid_back_for_a_stop_that_took_no_month(rule):
    pause = Pause(
        reason=SuspensionReason.OVERDUE, suspended_from=FROM, paid_again_from=FROM, passed_on=FROM, requested_on=FROM
    )
    assert arrears_fen(pause, rule, AMOUNTS) == 0


@given(st.sampled_from(ArrearsRule), MONTHS, MONTHS, MONTHS, MONTHS, st.none() | MONTHS)
def test_every_month_of_a_stop_is_owed_or_not_due_or_forbidden_by_something_else(
    rule, suspended_from, again, passed_on, first, end
):
    pause = Pause(reason=SuspensionReason.OVERDUE, suspended_from=suspended_from, paid_again_from=again,
                  passed_on=passed_on, requested_on=passed_on)  # fmt: skip
    assert min(suspended_from, again) <= pause.owed_from(rule) <= again
    amounts = [Amount(from_on=date(1, 1, 1), fen=100)]
    every = arrears_fen(pause, rule, amounts)
    gap = Span(first=first, end=end)
    owed = Span(first=pause.owed_from(rule), end=again)
    taken = sum(100 for month in owed.months_of(date(2019, 1, 1), 120) if gap.has(month))
    assert arrears_fen(pause, rule, amounts, [gap]) == every - taken
    assert arrears_fen(pause, rule, amounts, [gap, gap]) == every - taken  # what two say takes no month twice


@pytest.mark.parametrize(
    ("undecided", "in_effect", "over", "kept", "owed"),
    [
        ([4], [5], [], (5, [], 4), 1),  # what is carried out takes its months with it, and April waits for the other
        ([5], [2], [], (4, [], None), 1),  # February and March had been settled before that was found
        ([2], [], [(3, 6)], (7, [4, 5], 4), 1),
        ([], [], [(3, 6)], (7, [4, 5], None), 1),
        ([5], [], [], (7, [], 6), 6),  # a term until May waits for nothing, and goes to no stop that is carried out
        ([5], [5], [], (6, [], None), 6),
    ],
)
def test_only_months_that_waited_are_settled_anew(undecided, in_effect, over, kept, owed):
    def first(month):
        return month and date(2024, month, 1)

    before = BackPay(suspended_from=first(1), owed_from=first(owed), paid_again_from=first(7), waits_from=first(4))
    found = Found(undecided=(*map(first, undecided),), in_effect=(*map(first, in_effect),),
                  over=tuple(Span(first=first(begins), end=first(ends)) for begins, ends in over))  # fmt: skip
    now = before.by(found)
    until, not_due, waits = kept
    assert (now.paid_again_from, [*now.not_due], now.waits_from) == (first(until), [*map(first, not_due)], first(waits))
