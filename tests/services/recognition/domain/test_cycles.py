"""The certification cycle of a person in a program, and whose lateness counts."""

from datetime import date, timedelta

import pytest

from services.recognition.domain.cycles import CertificationState, CycleView, certification_state, late_by
from services.recognition.domain.enrolments import Status

TODAY = date(2023, 11, 1)
PAST, SOON, FAR = (TODAY + timedelta(days=days) for days in (-1, 90, 91))


def view(**changes) -> CycleView:
    parts = {"status": Status.ACTIVE, "under_review": False, "certified_until": None, "until": SOON, "run_on": None,
             "task": False, "grace_until": None}  # fmt: skip
    return CycleView(**{**parts, **changes})


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"until": FAR}, CertificationState.FAR),
        ({"until": FAR, "certified_until": FAR}, CertificationState.CERTIFIED),
        ({"certified_until": SOON}, CertificationState.WARNING),
        ({}, CertificationState.WARNING),
        ({"run_on": TODAY}, CertificationState.UNMATCHED),
        ({"run_on": TODAY, "task": True}, CertificationState.TASK_OPEN),
        ({"run_on": TODAY, "task": True, "until": PAST}, CertificationState.OVERDUE),
        ({"run_on": TODAY, "until": TODAY}, CertificationState.UNMATCHED),
        ({"run_on": TODAY, "until": PAST, "grace_until": TODAY}, CertificationState.UNMATCHED),
        ({"run_on": TODAY, "until": PAST, "grace_until": PAST}, CertificationState.OVERDUE),
        ({"run_on": TODAY, "until": PAST, "under_review": True}, CertificationState.SUSPECTED),
        ({"under_review": True, "status": Status.SUSPENDED}, CertificationState.SUSPENDED),
        ({"certified_until": FAR, "until": FAR, "status": Status.TERMINATED}, CertificationState.SUSPENDED),
        ({"until": None, "run_on": TODAY}, CertificationState.UNMATCHED),
    ],
)
def test_the_cycle_of_a_certification(changes, state):
    assert certification_state(view(**changes), TODAY, 90) is state


def test_nobody_is_overdue_before_a_run_has_looked_for_him():
    assert certification_state(view(until=TODAY - timedelta(days=400)), TODAY, 90) is CertificationState.WARNING


@pytest.mark.parametrize(("days", "late"), [(None, 0), (0, 0), (35, 0), (36, 1), (70, 35)])
def test_a_run_is_late_by_the_days_beyond_the_rhythm(days, late):
    last = None if days is None else TODAY - timedelta(days=days)
    assert late_by(last, TODAY, 35) == late
