"""Shapes of second listings, for officers."""

from datetime import date
from typing import Self
from uuid import UUID

from pydantic import AwareDatetime, model_validator

from services.recognition.domain.places import PlaceOutcome
from services.recognition.schemas.common import Fen, In, Out


class ListingOut(Out):
    """One of two listings: where, how much a month, since when."""

    division: str
    amount_fen: int
    started_on: date | None


class SecondPlaceOut(Out):
    """One person listed by one program at two places.

    `kept` is the enrolment; `drawn_twice_from` is null where a listing does not say when it began; `waits` is false
    once an officer has closed it or the rosters name one place alone.
    """

    place_id: UUID
    subject: UUID
    program: str
    kept: ListingOut | None
    second: ListingOut
    drawn_twice_from: date | None
    listed: bool
    waits: bool
    opened_at: AwareDatetime
    outcome: PlaceOutcome | None
    refunded_fen: int | None
    closed_by: str | None
    closed_at: AwareDatetime | None


class PlaceClosingIn(In):
    """What a second listing came to; `refunded_fen` is what came back, for `refunded` and for nothing else."""

    outcome: PlaceOutcome
    refunded_fen: Fen | None = None

    @model_validator(mode="after")
    def _told(self) -> Self:
        if (self.outcome is PlaceOutcome.REFUNDED) != (self.refunded_fen is not None):
            msg = "refunded_fen: say it for a refund, and for nothing else"
            raise ValueError(msg)
        return self
