"""The monthly report of a village as a state machine, and the light that shows whether it is late."""

from datetime import date, timedelta
from enum import StrEnum


class ReportState(StrEnum):
    """Where a report stands. `locked` is accepted by the county; nothing changes any more."""

    DRAFT = "draft"
    SUBMITTED = "suspected_list_submitted"
    CHECKED = "township_checked"
    SIGNED = "confirmed_list_signed"
    LOCKED = "locked"


class ReportAction(StrEnum):
    """A step of a report."""

    SUBMIT = "submission"
    RETURN = "return"
    CHECK = "check"
    SIGN = "signature"
    ACCEPT = "acceptance"


class Light(StrEnum):
    """How late a report is."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


_NEXT: dict[tuple[ReportState, ReportAction], ReportState] = {
    (ReportState.DRAFT, ReportAction.SUBMIT): ReportState.SUBMITTED,
    (ReportState.SUBMITTED, ReportAction.RETURN): ReportState.DRAFT,
    (ReportState.SUBMITTED, ReportAction.CHECK): ReportState.CHECKED,
    (ReportState.CHECKED, ReportAction.RETURN): ReportState.DRAFT,
    (ReportState.CHECKED, ReportAction.SIGN): ReportState.SIGNED,
    (ReportState.SIGNED, ReportAction.ACCEPT): ReportState.LOCKED,
}


def follow(state: ReportState, action: ReportAction) -> ReportState | None:
    """The state after a step, or None where it may not be taken."""
    return _NEXT.get((state, action))


def next_month(month: date) -> date:
    """First day of the month after the one that begins on `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def light(month: date, state: ReportState, today: date, *, due_day: int, red_after: int) -> Light:
    """Green until the due day of the next month and once signed; then yellow, then red.

    Args:
        month: first day of the month reported on.
        state: where the report stands.
        today: business date.
        due_day: day of the next month by which the village signs.
        red_after: days after that until it is red.
    """
    if state in {ReportState.SIGNED, ReportState.LOCKED}:
        return Light.GREEN
    due_on = next_month(month).replace(day=due_day)
    if today <= due_on:
        return Light.GREEN
    return Light.YELLOW if today <= due_on + timedelta(days=red_after) else Light.RED
