"""One attempt on one channel, and what becomes of a message over all its channels."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID


class Reach(StrEnum):
    """What a channel needs to know of the person."""

    ACCOUNT = "account"
    PHONE = "phone"
    ADDRESS = "address"
    VILLAGE = "village"
    ENDPOINT = "endpoint"


class Status(StrEnum):
    """Where an attempt stands."""

    WAITING = "waiting"
    QUEUED = "queued"
    SENDING = "sending"
    HANDED = "handed"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"
    MERGED = "merged"


ENDED = frozenset({Status.DELIVERED, Status.FAILED, Status.REFUSED, Status.MERGED})


class Outcome(StrEnum):
    """What a provider made of one message."""

    HANDED = "handed"
    DELIVERED = "delivered"
    AGAIN = "again"
    REJECTED = "rejected"
    IMPOSSIBLE = "impossible"  # nobody was asked: no address, no text


class Told(StrEnum):
    """Where a message stands over all its channels."""

    OPEN = "open"
    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message ready for a provider.

    Attributes:
        id: of the message: the provider takes it once under this id, however often it is handed over.
        attempt: counted from 1.
        to: phone, address or account, as the channel needs it.
        division: village of the person, or where the message belongs to, if known.
        approval: approval code of the text, where the channel has one.
        legal: before others, also at the provider.
        asked: provider that may have it already, its answer was lost; empty where it is not known which; None: nobody.
    """

    id: UUID
    attempt: int
    to: str
    division: str | None
    title: str
    text: str
    template: str
    approval: str | None
    legal: bool
    asked: str | None = None


def digest_of(message: Outgoing) -> bytes:
    """What proves later which words were handed over, though nobody keeps them."""
    return sha256(f"{message.title}\0{message.text}".encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A provider's answer about one message.

    Attributes:
        reference: the provider's own number.
        reason: why not, a code; empty when it went well.
        parts: what is billed.
        unsure: the provider may have taken it all the same.
    """

    id: UUID
    outcome: Outcome
    provider: str = ""
    reference: str = ""
    reason: str = ""
    parts: int = 0
    unsure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a provider, or a village, says later: did it reach, and when where that is not now?"""

    id: UUID
    delivered: bool
    reason: str
    at: datetime | None = None


def told(*, refused: bool, by_inbox: bool, statuses: Collection[Status]) -> Told:
    """Where a message stands: delivered as soon as one channel reached, failed when every one has ended without.

    Args:
        refused: it is told to nobody.
        by_inbox: the inbox told it: by having it, or where that is not enough by showing it.
        statuses: of the newest attempt on each other channel.
    """
    if refused:
        return Told.REFUSED
    if by_inbox or Status.DELIVERED in statuses:
        return Told.DELIVERED
    if all(status in ENDED for status in statuses):
        return Told.FAILED
    return Told.OPEN
