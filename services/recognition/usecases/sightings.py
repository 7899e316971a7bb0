"""Somebody saw the person: that certifies, whatever was taken back of the same day before."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.recognition.domain.certificates import Certificate, certificate_id
from services.recognition.store import certificates
from services.recognition.usecases.deps import Deps
from shared.kit.db import WriteTx


async def keep_sighting(deps: Deps, tx: WriteTx, seen: Certificate, *, origin: UUID, at: datetime) -> UUID | None:
    """Keep what a visit or a session certifies; the id of its certificate.

    Day and channel name a certificate, and a revocation of it is final: who is seen after it is certified under a name
    of its own. None for a sighting the revocation already knew of.
    """
    revoked_at = await certificates.revoked_at(tx, seen.subject, seen.certificate_id)
    if revoked_at is not None:
        if at < revoked_at:
            return None
        named = certificate_id(seen.subject, seen.claim, seen.as_of, seen.channel, origin=origin)
        seen = replace(seen, certificate_id=named)
    await certificates.save_certificate(tx, seen, issued_on=deps.clock.today(), origin=origin)
    return seen.certificate_id
