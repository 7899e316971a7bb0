"""Arrears: what a resumed enrolment is paid back, decided by the reason of its suspension alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from services.recognition.domain.dues import Amount, Span, alone, amount_on
from services.recognition.domain.months import first_of_month, months_between, next_month
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
WERE_DUE = frozenset({ArrearsRule.ALL, ArrearsRule.ALL_WITH_INCREASES})
"""Rules by which every month of a stop was due after all."""
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

ENDED_AS: Mapping[EndingEvent, SuspensionReason] = {
    EndingEvent.IMPRISONMENT: SuspensionReason.IMPRISONMENT,
    EndingEvent.DETENTION: SuspensionReason.IMPRISONMENT,
    EndingEvent.CRIMINAL_PUNISHMENT: SuspensionReason.IMPRISONMENT,
    EndingEvent.EMPLOYMENT: SuspensionReason.EMPLOYED,
}
"""What takes months though it is over by the time an officer looks, and as what a stop for it would be lifted."""


def unpaid_events(rules: Mapping[SuspensionReason, ArrearsRule]) -> list[EndingEvent]:
    """What takes months for good, by what a program says of the back-pay table."""
    return [event for event, why in ENDED_AS.items() if rules.get(why, DEFAULT_RULES[why]) not in WERE_DUE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A suspension that has ended.

    Attributes:
        suspended_from: first month that was not paid.
        paid_again_from: first month that is paid again in the ordinary run.
        passed_on: day on which its reason ended: of the release, the return, the pass.
        requested_on: day the person asked to be paid again, where that counts.
    """

    reason: SuspensionReason
    suspended_from: date
    paid_again_from: date
    passed_on: date | None = None
    requested_on: date | None = None

    def owed_from(self, rule: ArrearsRule) -> date:
        """First month that was due after all; where none was, the one that is paid again.

        Who served a term, or was employed, is paid nothing for that time; but from the month after it on, or after he
        asked for his benefit where that was later, only the stop had not been lifted yet.
        """
        start: date | None = self.suspended_from
        if rule is ArrearsRule.FROM_REQUEST:
            start = self.requested_on and first_of_month(self.requested_on)
        elif rule in _NOT_DUE:
            start = self.passed_on and next_month(max(self.passed_on, self.requested_on or self.passed_on))
        return min(max(start or self.paid_again_from, self.suspended_from), self.paid_again_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What else people have found that stops a benefit.

    Attributes:
        undecided: first month of each stop that somebody has still to decide on, or to carry out.
        in_effect: first month of each that stops it by now.
        over: months of terms, or jobs, that are due to nobody.
    """

    undecided: tuple[date, ...] = ()
    in_effect: tuple[date, ...] = ()
    over: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackPay:
    """What each month of a lifted stop is: paid back, waiting, or due to nobody; and what that makes.

    Attributes:
        suspended_from: first of its months.
        owed_from: first that is paid back; those before are not due.
        paid_again_from: first that is none of them: an ordinary run pays it, or another stop takes it.
        not_due: months in between that are due to nobody either.
        waits_from: the first owed one that waits for what else people have found; what comes before it is settled, and
            stays so. None where none waits.
        arrears_fen: what is paid back by now.
        refunded_fen: of it, what had come back of claims that are let go.
        withheld_fen: what would be paid besides, were there nothing else that people have found.
    """

    suspended_from: date
    owed_from: date
    paid_again_from: date
    not_due: Sequence[date] = ()
    waits_from: date | None = None
    arrears_fen: int = 0
    refunded_fen: int = 0
    withheld_fen: int = 0

    def due(self) -> Span:
        """Months that are due, so far as nothing is carried out that they wait for."""
        return Span(first=self.owed_from, end=self.paid_again_from, gaps=alone(self.not_due))

    def free(self) -> Span:
        """Those of them that wait for nothing."""
        return replace(self.due(), end=min(self.waits_from or self.paid_again_from, self.paid_again_from))

    def by(self, found: Found) -> Self:
        """The same months by what is found now. What is carried out takes its months with it; they are its own."""
        if self.waits_from is None:
            return self
        since = max(self.owed_from, self.waits_from)  # months that are not owed wait for nothing
        end = min([self.paid_again_from, *(max(since, each) for each in found.in_effect)])
        waiting = Span(first=since, end=end)
        months = waiting.months_of(waiting.first, max(0, months_between(waiting.first, end)))
        over = [month for month in months if any(span.has(month) for span in found.over)]
        waits = [max(since, each) for each in found.undecided if max(since, each) < end]
        return replace(
            self,
            paid_again_from=end,
            not_due=sorted({*self.not_due, *over}),
            waits_from=min(waits, default=None),
            withheld_fen=self.withheld_fen if waits else 0,
        )

    def paying(self, every: int, free: int, refund: int, held: int) -> Self:
        """The same with what it pays.

        Args:
            every: what the months that are due make, less what was paid for them.
            free: the same of those that wait for nothing.
            refund: what had come back of claims that are let go now.
            held: what has come back, and is claimed until it is said whether the months that wait are due.
        """
        refunded = self.refunded_fen + refund
        fen = max(self.arrears_fen, free + refunded)
        withheld = max(0, every + refunded + held - fen) if self.waits_from else 0
        return replace(self, arrears_fen=fen, refunded_fen=refunded, withheld_fen=withheld)


_ENDS_LATER = frozenset(
    {
        SuspensionReason.IMPRISONMENT,
        SuspensionReason.DETAINED_ACQUITTED,
        SuspensionReason.DETAINED_CONVICTED,
        SuspensionReason.MISSING_RETURNED,
        SuspensionReason.EMPLOYED,
    }
)


def ends_too_early(reason: SuspensionReason, event_on: date | None, passed_on: date) -> bool:
    """Whether a stop would be lifted for what ended before it began: a slip by which a whole term would be paid.

    What was never so, or late, may have passed on any day; a false death is asked about on its own.
    """
    return reason in _ENDS_LATER and event_on is not None and passed_on < event_on


def resumes_from(reason: SuspensionReason, passed_on: date) -> date:
    """First month that is due again: with a false death at once, with everything else the next month."""
    return first_of_month(passed_on) if reason is SuspensionReason.FALSE_DEATH else next_month(passed_on)


def owed_fen(owed: Span, rule: ArrearsRule, amounts: Sequence[Amount], suspended_from: date) -> int:
    """What the months owed make; without "increases" each as much as the first one that was not paid."""
    months = owed.months_of(owed.first, months_between(owed.first, owed.end or owed.first))
    if rule is ArrearsRule.ALL_WITH_INCREASES:
        return sum(amount_on(amounts, month) for month in months)
    return amount_on(amounts, suspended_from) * len(months)
