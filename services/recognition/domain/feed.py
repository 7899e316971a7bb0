"""What a partner is told of its programs between two questions, and until when somebody runs after an answer."""

from datetime import datetime, timedelta
from enum import StrEnum


class EventKind(StrEnum):
    """Kinds of events; thin: what they are about is fetched by whoever may see it."""

    ISSUED = "certificate.issued"
    REVOKED = "certificate.revoked"
    SUSPENDED = "enrolment.suspended"
    RESUMED = "enrolment.resumed"
    TERMINATED = "enrolment.terminated"
    CHANGED = "enrolment.changed"
    DEATH_RETRACTED = "death.retracted"
    CORRECTION = "correction.changed"


CHASED = frozenset(
    {
        EventKind.REVOKED,
        EventKind.SUSPENDED,
        EventKind.RESUMED,
        EventKind.TERMINATED,
        EventKind.CHANGED,
        EventKind.DEATH_RETRACTED,
    }
)
"""Kinds a program must have heard: money hangs on them."""


class HandoverState(StrEnum):
    """How far an event that must be heard has come with one partner."""

    OPEN = "open"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MANUAL = "manual"


class Outcome(StrEnum):
    """What a partner says of an event."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


MOST_TRIES = 3
"""So often an event is told before a person has to pick up the telephone."""


def next_due(now: datetime, tries: int, hours: int) -> datetime:
    """When an unanswered event is told again: a day later, then two, then three."""
    return now + timedelta(hours=hours * tries)
