"""The back-pay table of the field, row by row (《社会保险经办》 practice, domain reference section 4b)."""

from datetime import date

import pytest

from services.recognition.domain.arrears import DEFAULT_RULES, Amount, Pause, arrears_fen, paid_again_from, resumes_from
from services.recognition.domain.programs import ArrearsRule, SuspensionReason

FROM, PASSED, LIFTED = date(2023, 3, 1), date(2023, 6, 15), date(2023, 9, 2)
AMOUNTS = [Amount(from_on=date(2020, 1, 1), fen=10_000), Amount(from_on=date(2023, 5, 1), fen=12_000)]

ROWS = [
    # reason, when asked, first month paid again, arrears
    ("overdue", None, date(2023, 7, 1), 40_000),
    ("imprisonment", None, date(2023, 7, 1), 0),
    ("detained_acquitted", None, date(2023, 7, 1), 40_000),
    ("detained_convicted", None, date(2023, 7, 1), 0),
    ("missing_returned", None, date(2023, 7, 1), 10_000 + 10_000 + 12_000 + 12_000),
    ("missing_declared_dead", None, date(2023, 7, 1), 0),
    ("false_death", None, date(2023, 6, 1), 30_000),
    ("not_confirmed", None, date(2023, 7, 1), 40_000),
    ("employed", None, date(2023, 7, 1), 0),
    ("own_request", date(2023, 5, 20), date(2023, 7, 1), 20_000),
    ("own_request", None, date(2023, 7, 1), 0),
]


def test_every_row_of_the_table_is_here():
    assert {reason for reason, *_ in ROWS} == set(SuspensionReason) == set(DEFAULT_RULES)


@pytest.mark.parametrize(("reason", "requested_on", "again", "fen"), ROWS)
def test_row(reason, requested_on, again, fen):
    why = SuspensionReason(reason)
    assert resumes_from(why, PASSED) == again
    late = again if DEFAULT_RULES[why] in {"none", "refund"} else date(2023, 10, 1)
    assert paid_again_from(why, DEFAULT_RULES[why], PASSED, LIFTED) == late
    pause = Pause(reason=why, suspended_from=FROM, paid_again_from=again, requested_on=requested_on)
    assert arrears_fen(pause, DEFAULT_RULES[why], AMOUNTS) == fen


@pytest.mark.parametrize("rule", ArrearsRule)
def test_nothing_is_paid_back_for_a_stop_that_took_no_month(rule):
    pause = Pause(reason=SuspensionReason.OVERDUE, suspended_from=FROM, paid_again_from=FROM, requested_on=FROM)
    assert arrears_fen(pause, rule, AMOUNTS) == 0
