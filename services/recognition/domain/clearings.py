"""Clearings: what people found not to be so, of which reasons and of which days. What happened later is none of it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from services.recognition.domain.programs import ENDS_LIFE, EndingEvent

NOT_SO_OF_WHO_LIVES: Final = ENDS_LIFE | {EndingEvent.MISSING}
"""What is not so of somebody who was seen: he had neither died nor disappeared. That he is free nobody says by it."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What officers found not to be so.

    It speaks of events of its reasons up to a day, as far as they had been found by then: an event that happened after
    it stands, and so does what people find later, knowing of it.

    Attributes:
        until_on: last day of which it speaks; None where it is about what names no day, and about nothing else.
        about_at: when what names no day, and is not so, was found; None where it was dated.
        lives: whether they found that the person lives; else they have given up all they had of these reasons.
    """

    clearing_id: UUID
    subject: UUID
    reasons: tuple[EndingEvent, ...]
    until_on: date | None
    about_at: datetime | None
    found_at: datetime
    lives: bool


def lived_until(alive_on: date) -> date:
    """Last day of which it speaks that somebody was seen: who was seen in the morning may have died that night."""
    return alive_on - _DAY


def spoken_until(event_on: date | None, seen_on: date | None, concluded_on: date) -> date:
    """Last day of which a case speaks that found nothing: of the day on which the person was seen, and of its own."""
    known = [day for day in (event_on, seen_on) if day is not None]
    return min(max(known, default=concluded_on), concluded_on)
