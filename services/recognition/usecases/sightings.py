"""Somebody saw the person: that certifies, whatever was taken back of the same day before."""

from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from services.recognition.domain.certificates import Certificate, certificate_id
from services.recognition.store import certificates
from services.recognition.usecases.deps import Deps
from shared.contracts.events import VisitConcluded
from shared.contracts.vocabulary import Channel, Claim
from shared.kit.db import WriteTx

VISIT_WITHDRAWN = "visit_withdrawn"
"""Why a certificate falls whose visit its village does not stand by; it says nothing of another visit of that day."""


def anew(seen: Certificate, origin: UUID) -> UUID:
    """Name of a certificate of a sighting after that of the same day and channel was revoked."""
    return certificate_id(seen.subject, seen.claim, seen.as_of, seen.channel, origin=origin)


async def keep_sighting(
    deps: Deps, tx: WriteTx, seen: Certificate, *, origin: UUID, at: datetime, own: UUID | None = None
) -> UUID | None:
    """Keep what a visit or a session certifies; the id of its certificate.

    Day and channel name a certificate, and a revocation of it is final: who is seen after it is certified under a name
    of its own, `own` where that is known. None for a sighting the revocation already knew of.
    """
    revoked_at = await certificates.revoked_at(tx, seen.subject, seen.certificate_id)
    if revoked_at is not None:
        if at < revoked_at:
            return None
        seen = replace(seen, certificate_id=own or anew(seen, origin))
    await certificates.save_certificate(tx, seen, made_at=deps.clock.now(), origin=origin)
    return seen.certificate_id


def name_of_visit(subject: UUID, seen_on: date, channel: Channel, visit_id: UUID, revision: int) -> UUID:
    """The name of what one conclusion of one visit certifies, where that of its day and channel is taken."""
    origin = UUID(int=visit_id.int ^ revision << 96)
    return certificate_id(subject, Claim.ALIVE, seen_on, channel, origin=origin)


async def keep_visit(deps: Deps, tx: WriteTx, seen: Certificate, fact: VisitConcluded) -> UUID | None:
    """Keep what a visit certifies; the id of its certificate.

    The first of a day has the name of the day, every other one its own: each falls with its own visit. None for one
    that was withdrawn before it was heard of.
    """
    own = name_of_visit(seen.subject, seen.as_of, seen.channel, fact.visit_id, fact.revision)
    if await certificates.is_revoked(tx, seen.subject, own):
        return None
    why = await certificates.revoked_for(tx, seen.subject, seen.certificate_id)
    first = await certificates.find_origin(tx, seen.subject, seen.certificate_id)
    another = fact.revision > 0 or first not in {None, fact.visit_id}
    if why == VISIT_WITHDRAWN or (why is None and another):
        seen = replace(seen, certificate_id=own)
    return await keep_sighting(deps, tx, seen, origin=fact.visit_id, at=fact.visited_at, own=own)
