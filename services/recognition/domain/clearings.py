"""Clearings: what people found not to be so, of which reasons and of which days. What happened later is none of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from services.recognition.domain.programs import ENDS_LIFE, EndingEvent, SuspensionReason

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
        until_on: last day of which it speaks; None where it is about what names no day, and about nothing else.
        about_at: when what names no day, and is not so, was found; None where it was dated.
        lives: whether it never was so, since the person was found alive. Else officers have given up all they had of
            these reasons, or it is over: nothing is proposed for it anew, and nothing falls that stands elsewhere.
    """

    clearing_id: UUID
    subject: UUID
    reasons: tuple[EndingEvent, ...]
    until_on: date | None
    about_at: datetime | None
    found_at: datetime
    lives: bool


def over_for(stopped_for: EndingEvent, passed: SuspensionReason, also: Iterable[EndingEvent]) -> frozenset[EndingEvent]:
    """Reasons that are over for whoever was set free or has come back: of the stop, and what one finding means besides.

    Who was convicted is held no more, and may serve his term from the same day on.
    """
    if passed not in _OVER:
        return frozenset()
    held_only = passed is SuspensionReason.DETAINED_CONVICTED and stopped_for is EndingEvent.DETENTION
    return frozenset({stopped_for}) if held_only else frozenset({stopped_for, *also})


def lived_until(alive_on: date) -> date:
    """Last day of which it speaks that somebody was seen: who was seen in the morning may have died that night."""
    return alive_on - _DAY


def spoken_until(event_on: date | None, seen_on: date | None, concluded_on: date) -> date:
    """Last day of which a case speaks that found nothing: of the day on which the person was seen, and of its own."""
    known = [day for day in (event_on, seen_on) if day is not None]
    return min(max(known, default=concluded_on), concluded_on)
