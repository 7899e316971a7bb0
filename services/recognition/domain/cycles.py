"""The certification cycle of a person in a program: far, warned of, looked for in vain, visited, certified, overdue."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from services.recognition.domain.enrolments import STOPPED, Status


class CertificationState(StrEnum):
    """Where a person stands in the certification cycle of a program."""

    FAR = "due_far"
    WARNING = "warning"
    UNMATCHED = "unmatched"
    TASK_OPEN = "task_open"
    CERTIFIED = "certified"
    OVERDUE = "overdue"
    SUSPECTED = "suspected"
    SUSPENDED = "suspended"


class GraceReason(StrEnum):
    """Why lateness is not the person's."""

    RUN_LATE = "run_late"
    SOURCE_SILENT = "source_silent"
    VISIT_LATE = "visit_late"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleView:
    """What decides the state of a certification cycle.

    Attributes:
        certified_until: last certified day; None without a certificate.
        until: the same, or the day by which the owner wants a certification if that is later; None if neither is known.
        run_on: day of the first monthly run that looked for the person in vain; None if there was none in this cycle.
        task: whether grid has opened a task for him.
        grace_until: last day on which lateness stops nobody; None where there is no grace.
    """

    status: Status
    under_review: bool
    certified_until: date | None
    until: date | None
    run_on: date | None
    task: bool
    grace_until: date | None


def certification_state(view: CycleView, today: date, warning_days: int) -> CertificationState:
    """State of a certification cycle on a day.

    Nobody is overdue before a run has looked for him, nor in grace: the platform's own delay is never the person's.
    """
    far = today + timedelta(days=warning_days)
    if view.status in STOPPED:
        return CertificationState.SUSPENDED
    if view.under_review:
        return CertificationState.SUSPECTED
    if view.certified_until is not None and view.certified_until > far:
        return CertificationState.CERTIFIED
    if view.until is not None and view.until > far:
        return CertificationState.FAR
    return _looked_for(view, today)


def _looked_for(view: CycleView, today: date) -> CertificationState:
    if view.run_on is None:
        return CertificationState.WARNING
    in_grace = view.grace_until is not None and view.grace_until >= today
    if view.until is not None and view.until < today and not in_grace:
        return CertificationState.OVERDUE
    return CertificationState.TASK_OPEN if view.task else CertificationState.UNMATCHED


def late_by(last_run: date | None, today: date, run_days: int) -> int:
    """Days by which a monthly run comes late; none where there was no run before."""
    return max(0, (today - last_run).days - run_days) if last_run else 0
