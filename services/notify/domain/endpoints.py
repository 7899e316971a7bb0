"""Partners' webhook endpoints: what may be called, what is said, and when a failing one is called again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from uuid import UUID

import orjson

from shared.contracts.vocabulary import SubscriptionStatus

Network = IPv4Network | IPv6Network

WAITS: Final[tuple[float, ...]] = (5, 30, 300, 1800, 7200, 21600, 43200, 86400)
"""Seconds before the second, third, ... try: 5 s to 24 h; after the last one the endpoint is paused."""
_AWAY: Final = frozenset({429, 502, 503, 504})
"""Answers that speak of the endpoint as a whole, not of what was posted."""
CHALLENGE_WAITS: Final[tuple[float, ...]] = (5, 30, 300, 1800)
CHALLENGE: Final = "endpoint.challenge"
LIVE: Final = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED})

# Whatever else IPv6 has is of one site, or carries an IPv4 address inside, where a private one could hide; so do the
# tunnels within.
_UNICAST: Final = IPv6Network("2000::/3")
_TUNNELS: Final = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A partner's endpoint.

    Attributes:
        kinds, programs: of events; empty is every one of the partner's.
        secret, previous_secret: sealed; the second one signs too until `previous_until`.
        version: of the subscription.
        failures: tries that failed since the last success.
    """

    subscription_id: UUID
    client_id: str
    url: str
    kinds: Sequence[str]
    programs: Sequence[str]
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    status: SubscriptionStatus
    reason: str
    version: int
    failures: int
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Thin:
    """What a partner is told of an event; he asks for the rest.

    Attributes:
        traceparent: of what the event came from, where that is known; it goes along in a header.
    """

    event_id: UUID
    kind: str
    program: str
    version: int
    occurred_at: datetime
    traceparent: str | None = None


def may_call(address: str, allowed: Sequence[Network]) -> bool:
    """Whether an address is public, or allowed by the settings."""
    found = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if any(found.version == network.version and found in network for network in allowed):
        return True
    if isinstance(found, IPv6Address) and (found not in _UNICAST or any(found in each for each in _TUNNELS)):
        return False
    return found.is_global and not found.is_multicast


def body_of(event: Thin) -> bytes:
    """The bytes that are signed and sent: no person, no detail."""
    said = {
        "type": event.kind,
        "timestamp": event.occurred_at.isoformat(),
        "data": {"event_id": str(event.event_id), "program": event.program, "version": event.version},
    }
    return orjson.dumps(said)


def challenge_body(challenge: str, at: datetime) -> bytes:
    """The bytes of a challenge; a receiver answers with `{"challenge": …}` of the same value."""
    return orjson.dumps({"type": CHALLENGE, "timestamp": at.isoformat(), "data": {"challenge": challenge}})


def answers_challenge(challenge: str, body: bytes) -> bool:
    """Whether an answer holds the challenge."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, Mapping) and said.get("challenge") == challenge


def status_after(known: Endpoint | None, *, url: str, asked: SubscriptionStatus) -> SubscriptionStatus:
    """Where an endpoint stands when its owner has changed it: proved again when it is new, moved, or begins anew."""
    if asked in {SubscriptionStatus.ENDED, SubscriptionStatus.PAUSED, SubscriptionStatus.DISABLED}:
        return asked
    if known is None or known.url != url or known.status is not SubscriptionStatus.ACTIVE:
        return SubscriptionStatus.PENDING
    return SubscriptionStatus.ACTIVE


def may_be_the_events_fault(status: int | None, tries: int) -> bool:
    """Whether an event may be refused for what it is: it was before, and the endpoint is there to answer."""
    return tries > 1 and status is not None and status not in _AWAY


def try_again(now: datetime, tries: int, waits: Sequence[float], jitter: float) -> datetime | None:
    """When something that has failed `tries` times (from 1) is tried again; None when that was the last time.

    Args:
        now: when it failed.
        tries: how often.
        waits: seconds.
        jitter: in [0, 1): spreads the waits between 90 and 110 %.
    """
    if tries > len(waits):
        return None
    return now + timedelta(seconds=waits[tries - 1] * (0.9 + 0.2 * jitter))
