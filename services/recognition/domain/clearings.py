"""Clearings: what people found not to be so, of which reasons and of which days. What happened later is none of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from services.recognition.domain.programs import ENDS_LIFE, Effect, EndingEvent, SuspensionReason

NOT_SO_OF_WHO_LIVES: Final = ENDS_LIFE | {EndingEvent.MISSING}
"""What is not so of somebody who was seen: he had neither died nor disappeared. That he is free nobody says by it."""
_OVER: Final = frozenset(
    {
        SuspensionReason.IMPRISONMENT,
        SuspensionReason.DETAINED_ACQUITTED,
        SuspensionReason.DETAINED_CONVICTED,
        SuspensionReason.MISSING_RETURNED,
    }
)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What officers found not to be so.

    It speaks of events of its reasons up to a day, as far as they had been found by then: an event that happened after
    it stands, and so does what people find later, knowing of it.

    Attributes:
        from_on: first day of which it speaks; None where it is about every day before the last.
        until_on: last day of which it speaks; None where it is about what names no day, and about nothing else.
        about_at: when what names no day, and is not so, was found; None where it was dated.
        lives: whether it never was so, since the person was found alive. Else officers have given up all they had of
            these reasons, or it is over: nothing is proposed for it anew, and nothing falls that stands elsewhere.
    """

    clearing_id: UUID
    subject: UUID
    reasons: tuple[EndingEvent, ...]
    from_on: date | None = None
    until_on: date | None
    about_at: datetime | None
    found_at: datetime
    lives: bool


def over_for(stopped_for: EndingEvent, passed: SuspensionReason, also: Iterable[EndingEvent]) -> frozenset[EndingEvent]:
    """Reasons that are over for whoever was set free or has come back: of the stop, and what one finding means besides.

    Who was convicted is held no more, and may serve his term from the same day on. Nobody's conviction is over because
    he is free: only who was acquitted has none.
    """
    if passed not in _OVER:
        return frozenset()
    if passed is SuspensionReason.DETAINED_CONVICTED and stopped_for is EndingEvent.DETENTION:
        return frozenset({stopped_for})
    over = frozenset({stopped_for, *also})
    return over if passed is SuspensionReason.DETAINED_ACQUITTED else over - {EndingEvent.CRIMINAL_PUNISHMENT}


def asked_as(reason: EndingEvent, effect: Effect) -> EndingEvent:
    """Under which reason a clearing is asked for what a program makes of an event.

    A punishment for which a benefit rests is the time in prison by another name, and over with it; one that ends the
    benefit is the conviction.
    """
    suspends = reason is EndingEvent.CRIMINAL_PUNISHMENT and effect is not Effect.TERMINATE
    return EndingEvent.IMPRISONMENT if suspends else reason


def lived_until(alive_on: date) -> date:
    """Last day of which it speaks that somebody was seen: who was seen in the morning may have died that night."""
    return alive_on - _DAY


def over_until(passed_on: date, event_on: date | None) -> date:
    """Last day of which a release or a return speaks; what the stop was for is over, though he was free that day."""
    return max(lived_until(passed_on), event_on or date.min)


def over_days(
    passed: SuspensionReason, event_on: date | None, told_on: date, passed_on: date
) -> tuple[date | None, date | None]:
    """First and last day of which the end of a stop speaks.

    Who is set free is free of what began while he was held: those months are of the stop that ends. What began before
    it took months of its own, so that is asked about. Who is acquitted of one term may be serving another one, and who
    has come back was never gone.
    """
    if passed is SuspensionReason.DETAINED_ACQUITTED:
        return event_on, event_on
    first = None if passed is SuspensionReason.MISSING_RETURNED else event_on or told_on
    return first, over_until(passed_on, event_on)


def spoken_until(event_on: date | None, seen_on: date | None, concluded_on: date) -> date:
    """Last day of which a case speaks that found nothing: of the day on which the person was seen, and of its own."""
    known = [day for day in (event_on, seen_on) if day is not None]
    return min(max(known, default=concluded_on), concluded_on)
