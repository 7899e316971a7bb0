"""Certificates: what they state, how they are named, and which of a person's certificates counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from uuid import UUID

import numpy as np

from services.recognition.domain.months import valid_until
from shared.contracts.vocabulary import Channel, Claim, Strength, VisitResult

NO_CAP = 0
"""Key of certificates a rule set does not cap."""

IN_PERSON = frozenset({Channel.HOME, Channel.COUNTER, Channel.FACE, Channel.REMOTE, Channel.PARTNER})
"""Channels in which somebody saw the person."""

_ID_BYTES = 16
_CAPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A formal result on one person; immutable.

    Attributes:
        certificate_id: follows from subject, claim, as_of, channel and cap, so that telling it twice makes one.
        as_of: day of the event it rests on.
        cap_months: longest validity the rule set allows, None for the program's own cycle.
        evidence_class: classes of evidence the person himself may read.
    """

    certificate_id: UUID
    subject: UUID
    claim: Claim
    as_of: date
    channel: Channel
    strength: Strength
    rule_set: str
    cap_months: int | None
    evidence_ids: tuple[int, ...]
    evidence_class: tuple[str, ...]

    def valid_until(self, cycle_months: int) -> date:
        """Last day it certifies for a program of this cycle."""
        return valid_until(self.as_of, cycle_months, self.cap_months)


def certificate_id(
    subject: UUID, claim: Claim, as_of: date, channel: Channel, cap_months: int = NO_CAP, origin: UUID | None = None
) -> UUID:
    """Name of a certificate; the same facts give the same name.

    `origin` is given for what certifies beside the certificate that these facts name, or after its revocation.
    """
    again = f"|{origin.hex}" if origin else ""
    text = f"{claim}|{as_of.isoformat()}|{channel}|{cap_months}{again}".encode()
    return UUID(bytes=blake2b(subject.bytes + text, digest_size=_ID_BYTES, person=b"certificate").digest())


def certificate_ids(
    subjects: np.ndarray, as_of: np.ndarray, caps: np.ndarray, claim: Claim, channel: Channel
) -> np.ndarray:
    """Names of many certificates.

    Args:
        subjects: shape (n, 16), uint8.
        as_of: n days, datetime64[D].
        caps: n caps in months, integers, 0 for none.
        claim: the same for all.
        channel: the same for all.

    Returns:
        Shape (n, 16), uint8.
    """
    raw = subjects.tobytes()
    # A day and a cap in one number: a message holds few different ones, so their texts are made once each.
    kinds, kind_of = np.unique(as_of.astype(np.int64) * _CAPS + caps, return_inverse=True)
    days, months = (kinds // _CAPS).astype("datetime64[D]"), kinds % _CAPS
    tails = [f"{claim}|{day}|{channel}|{cap}".encode() for day, cap in zip(days, months, strict=True)]
    digests = [
        blake2b(raw[at : at + 16] + tails[kind], digest_size=_ID_BYTES, person=b"certificate").digest()
        for at, kind in zip(range(0, len(raw), 16), kind_of.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, _ID_BYTES)


def best_until(certificates: Iterable[Certificate], cycle_months: int) -> date | None:
    """Until when any of these certificates certifies; None without one. More certificates never give less."""
    return max((each.valid_until(cycle_months) for each in certificates), default=None)


def channel_of(result: VisitResult) -> Channel | None:
    """Channel of the certificate a visit gives; None where nobody saw the person alive."""
    if result is VisitResult.SEEN_ALIVE:
        return Channel.HOME
    if result is VisitResult.SEEN_BY_VIDEO:
        return Channel.REMOTE
    return None
