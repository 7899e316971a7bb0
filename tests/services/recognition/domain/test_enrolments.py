"""Enrolments: every transition there is, and that no machine stops anybody."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.enrolments import (
    STOPPED,
    TRANSITIONS,
    CertificationState,
    CycleView,
    Decision,
    Status,
    Step,
    TransitionError,
    after,
    certification_state,
)

TWO = Decision(decided_by="officer-1", confirmed_by="officer-2")
NOT_TWO = [
    None,
    Decision(decided_by="officer-1", confirmed_by=None),
    Decision(decided_by="officer-1", confirmed_by="officer-1"),
]


@pytest.mark.parametrize(("status", "step"), sorted(product(Status, Step)))
@pytest.mark.parametrize("decision", NOT_TWO)
def test_no_step_leads_to_a_stop_without_a_decision_of_two(status, step, decision):
    try:
        reached = after(status, step, decision)
    except TransitionError:
        return
    # Staying suspended while a further stop is given up is no stop.
    assert reached is status or reached not in STOPPED | {Status.NOTICE}


@pytest.mark.parametrize(("status", "step"), sorted(product(Status, Step)))
def test_two_people_reach_what_the_table_names_and_nothing_else(status, step):
    if (status, step) in TRANSITIONS:
        assert after(status, step, TWO) is TRANSITIONS[status, step]
    else:
        with pytest.raises(TransitionError):
            after(status, step, TWO)


@given(st.lists(st.sampled_from(Step)))
def test_every_way_to_a_stop_passes_a_notice(steps):
    status, noticed = Status.ACTIVE, False
    for step in steps:
        try:
            reached = after(status, step, TWO)
        except TransitionError:
            continue
        noticed = noticed or step is Step.GIVE_NOTICE
        assert reached not in STOPPED or noticed
        noticed = noticed and reached is not Status.ACTIVE
        status = reached


TODAY = date(2023, 11, 1)


@pytest.mark.parametrize(
    ("until", "run_on", "review", "status", "state"),
    [
        (TODAY + timedelta(days=91), None, False, Status.ACTIVE, CertificationState.FAR),
        (TODAY + timedelta(days=90), None, False, Status.ACTIVE, CertificationState.WARNING),
        (TODAY + timedelta(days=90), TODAY, False, Status.ACTIVE, CertificationState.UNMATCHED),
        (TODAY - timedelta(days=1), TODAY, False, Status.ACTIVE, CertificationState.OVERDUE),
        (TODAY, TODAY, True, Status.ACTIVE, CertificationState.SUSPECTED),
        (TODAY, TODAY, True, Status.SUSPENDED, CertificationState.SUSPENDED),
    ],
)
def test_the_cycle_of_a_certification(until, run_on, review, status, state):
    view = CycleView(until=until, run_on=run_on, under_review=review, status=status)
    assert certification_state(view, TODAY, 90) is state


def test_nobody_is_overdue_before_a_run_has_looked_for_him():
    view = CycleView(until=TODAY - timedelta(days=40), run_on=None, under_review=False, status=Status.ACTIVE)
    assert certification_state(view, TODAY, 90) is CertificationState.WARNING
