"""Arrears: what a resumed enrolment is paid back, decided by the reason of its suspension alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.recognition.domain.dues import Amount, amount_on
from services.recognition.domain.months import first_of_month, month_number, month_start, months_between, next_month
from services.recognition.domain.programs import ArrearsRule, EndingEvent, SuspensionReason

DEFAULT_RULES: dict[SuspensionReason, ArrearsRule] = {
    SuspensionReason.OVERDUE: ArrearsRule.ALL,
    SuspensionReason.IMPRISONMENT: ArrearsRule.NONE,
    SuspensionReason.DETAINED_ACQUITTED: ArrearsRule.ALL,
    SuspensionReason.DETAINED_CONVICTED: ArrearsRule.NONE,
    SuspensionReason.MISSING_RETURNED: ArrearsRule.ALL_WITH_INCREASES,
    SuspensionReason.MISSING_DECLARED_DEAD: ArrearsRule.NONE,
    SuspensionReason.FALSE_DEATH: ArrearsRule.ALL,
    SuspensionReason.NOT_CONFIRMED: ArrearsRule.ALL,
    SuspensionReason.EMPLOYED: ArrearsRule.REFUND,
    SuspensionReason.OWN_REQUEST: ArrearsRule.FROM_REQUEST,
}
"""The back-pay table; a program's file may say otherwise for a reason."""

_FREED = frozenset(
    {SuspensionReason.IMPRISONMENT, SuspensionReason.DETAINED_ACQUITTED, SuspensionReason.DETAINED_CONVICTED}
)
_FALSE = frozenset({SuspensionReason.FALSE_DEATH})
_NOT_SO = frozenset({SuspensionReason.NOT_CONFIRMED})
_LIFTS: Mapping[EndingEvent, frozenset[SuspensionReason]] = {
    EndingEvent.DEATH: _FALSE,
    EndingEvent.DECLARED_DEAD: _FALSE,
    EndingEvent.HOUSEHOLD_EXTINCT: _FALSE,
    EndingEvent.MISSING: frozenset({SuspensionReason.MISSING_RETURNED}),
    EndingEvent.IMPRISONMENT: _FREED,
    EndingEvent.DETENTION: _FREED,
    EndingEvent.CRIMINAL_PUNISHMENT: _FREED,
    EndingEvent.EMPLOYMENT: _NOT_SO | {SuspensionReason.EMPLOYED},
    EndingEvent.OVERDUE: _NOT_SO | {SuspensionReason.OVERDUE},
    EndingEvent.OWN_REQUEST: frozenset({SuspensionReason.OWN_REQUEST}),
}
_NOT_DUE = frozenset({ArrearsRule.NONE, ArrearsRule.REFUND})
_BRINGS_BACK = (
    _FALSE
    | _NOT_SO
    | {SuspensionReason.DETAINED_ACQUITTED, SuspensionReason.MISSING_RETURNED, SuspensionReason.OWN_REQUEST}
)

ANSWERS: Mapping[SuspensionReason, Mapping[EndingEvent, SuspensionReason]] = {
    SuspensionReason.FALSE_DEATH: {
        EndingEvent.OVERDUE: SuspensionReason.OVERDUE,
        EndingEvent.MISSING: SuspensionReason.MISSING_RETURNED,
    },
    SuspensionReason.DETAINED_ACQUITTED: {
        EndingEvent.DETENTION: SuspensionReason.DETAINED_ACQUITTED,
        EndingEvent.IMPRISONMENT: SuspensionReason.DETAINED_ACQUITTED,
        EndingEvent.CRIMINAL_PUNISHMENT: SuspensionReason.DETAINED_ACQUITTED,
    },
}
"""What else is answered where the end of a benefit was false: stops beneath it, and for which reason each is lifted.

Whoever lives has passed and has come back; whoever is acquitted was held for nothing. Any other stop beneath goes on.
"""


def lifted_by(stopped_for: EndingEvent, *, ended: bool) -> frozenset[SuspensionReason]:
    """Reasons for which a stop may be lifted: they follow from its own, else whoever lifts it chooses what is paid.

    Args:
        stopped_for: reason of the stop.
        ended: whether the benefit was terminated; it comes back only when the reason was false, or where it rested on
            the person himself: who has returned, or takes his request back.
    """
    fitting = _LIFTS.get(stopped_for, _NOT_SO)
    return fitting & _BRINGS_BACK if ended else fitting


GOES_ON: Mapping[SuspensionReason, str] = {
    SuspensionReason.OVERDUE: "certified",
    SuspensionReason.IMPRISONMENT: "released",
    SuspensionReason.DETAINED_ACQUITTED: "acquitted",
    SuspensionReason.DETAINED_CONVICTED: "released",
    SuspensionReason.MISSING_RETURNED: "returned",
    SuspensionReason.MISSING_DECLARED_DEAD: "declared_dead",
    SuspensionReason.FALSE_DEATH: "false_death",
    SuspensionReason.NOT_CONFIRMED: "not_so",
    SuspensionReason.EMPLOYED: "not_employed",
    SuspensionReason.OWN_REQUEST: "request_withdrawn",
}
"""Why a benefit goes on, as its owner and its program are told: what has ended the stop, not what had caused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A suspension that has ended.

    Attributes:
        suspended_from: first month that was not paid.
        paid_again_from: first month that is paid again in the ordinary run.
        requested_on: day the person asked to be paid again, where that counts.
    """

    reason: SuspensionReason
    suspended_from: date
    paid_again_from: date
    requested_on: date | None = None


def resumes_from(reason: SuspensionReason, passed_on: date) -> date:
    """First month of the ordinary run again: a false death at once, everything else from the next month."""
    return first_of_month(passed_on) if reason is SuspensionReason.FALSE_DEATH else next_month(passed_on)


def paid_again_from(reason: SuspensionReason, rule: ArrearsRule, passed_on: date, lifted_on: date) -> date:
    """First month of the ordinary run again: until an officer lifts the stop, every run is told to stop.

    What is owed of the months of a stop is therefore owed with the month of that day, whenever the person passed: its
    run may have been told before, and one that comes later pays nothing twice.
    """
    return resumes_from(reason, passed_on) if rule in _NOT_DUE else next_month(lifted_on)


def arrears_fen(pause: Pause, rule: ArrearsRule, amounts: Sequence[Amount]) -> int:
    """What is paid back, in fen; never negative.

    Args:
        pause: the suspension.
        rule: of the program for the reason.
        amounts: monthly amounts by the month they began, at least one. Without "increases" the amount at the time of
            the suspension counts for every month.
    """
    if rule in _NOT_DUE:
        return 0
    start = pause.suspended_from
    if rule is ArrearsRule.FROM_REQUEST:
        if pause.requested_on is None:
            return 0
        start = max(start, first_of_month(pause.requested_on))
    months = months_between(start, pause.paid_again_from) - 1
    if months <= 0:
        return 0
    if rule is ArrearsRule.ALL_WITH_INCREASES:
        first = month_number(start)
        return sum(amount_on(amounts, month_start(first + each)) for each in range(months))
    return amount_on(amounts, pause.suspended_from) * months
