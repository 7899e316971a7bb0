"""One person listed by one program at two places: what an officer may have found out about it."""

from datetime import date
from enum import StrEnum


class PlaceOutcome(StrEnum):
    """What a second listing came to."""

    KEPT_ONE = "kept_one"
    """The benefit is drawn at one place from now on; nothing had been paid twice."""
    MOVED = "moved"
    """The person moved; the row of the old place is ended by whoever wrote it."""
    REFUNDED = "refunded"
    """It had been drawn twice; what the second place paid has come back."""
    UNFOUNDED = "unfounded"
    """A row with somebody else's number, or two entitlements that may be held together."""


def drawn_twice_from(*started_on: date | None) -> date | None:
    """First day on which both listings were paid; None where one of them does not say when it began."""
    days = [day for day in started_on if day is not None]
    return max(days) if len(days) == len(started_on) else None
