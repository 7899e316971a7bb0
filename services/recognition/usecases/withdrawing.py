"""Evidence its department took back, and a visit its village does not stand by, certify nobody."""

from dataclasses import replace
from hashlib import blake2b
from uuid import UUID

import pyarrow as pa

from services.recognition.domain.certificates import NO_CAP, Certificate, certificate_id, channel_of
from services.recognition.store import certificates, hearing
from services.recognition.store.certificates import Revocation
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.revoking import revoke, take_back, tell_what_is_left
from services.recognition.usecases.sightings import VISIT_WITHDRAWN, name_of_visit
from shared.contracts.events import VisitWithdrawn
from shared.contracts.vocabulary import Channel, Claim, Strength
from shared.kit import arrow
from shared.kit.db import WriteTx

WITHDRAWN = "evidence_withdrawn"


async def hear_corrected(deps: Deps, tx: WriteTx, table: pa.Table) -> None:
    """Revoke what rests on evidence that was taken back, and let no opinion heard later certify by it.

    It stops nothing: the person is uncertified at most.
    """
    await certificates.lock_shards(tx, arrow.shards_of(table))
    rows = await hearing.keep_corrections(tx, table.select(["subject", "evidence_id"]))
    for row in rows:
        subject, revoked = row["subject"], row["certificate_id"]
        successor = await certificates.newest_in_force(tx, subject, Claim.ALIVE, revoked)
        one = Revocation(subject=subject, certificate_id=revoked, reason=WITHDRAWN, successor_id=successor)
        await revoke(deps, tx, one)
    # Only once all of it has fallen: what falls with it in a moment is no news.
    await tell_what_is_left(deps, tx, sorted({row["subject"] for row in rows}))


async def hear_visit_withdrawn(deps: Deps, tx: WriteTx, fact: VisitWithdrawn) -> None:
    """Revoke what one conclusion of a visit certified, or let it certify nobody once it is heard of.

    Like every revocation it stops nothing, and what else certifies the person counts.
    """
    channel = channel_of(fact.result)
    if channel is None:
        return
    subject = fact.subject
    await certificates.lock_shard(tx, subject.hex[0])
    named = certificate_id(subject, Claim.ALIVE, fact.visited_on, channel)
    own = name_of_visit(subject, fact.visited_on, channel, fact.visit_id, fact.revision)
    of_day = fact.revision == 0 and await certificates.find_origin(tx, subject, named) == fact.visit_id
    fallen = named if of_day else own
    if await certificates.is_revoked(tx, subject, fallen):
        return
    one = Revocation(subject=subject, certificate_id=fallen, reason=VISIT_WITHDRAWN)
    if await certificates.find_origin(tx, subject, fallen) is None:
        await certificates.revoke(tx, one, deps.clock.now())
        return
    successor = await certificates.newest_in_force(tx, subject, Claim.ALIVE, fallen)
    await take_back(deps, tx, replace(one, successor_id=successor))


async def certify_by_the_rest(deps: Deps, tx: WriteTx) -> list[UUID]:
    """Certify whom an opinion just heard certifies by what is left of the same day; who they are.

    A revoked certificate does not come back, and facts name it: by other evidence it has a name of its own.
    """
    rows = await hearing.list_left_of_withdrawn(tx, WITHDRAWN)
    for row in rows:
        ids = tuple(row["evidence_ids"])
        origin = UUID(bytes=blake2b(repr(sorted(ids)).encode(), digest_size=16, person=b"evidence").digest())
        cap = row["cap_months"]
        named = certificate_id(row["subject"], Claim.ALIVE, row["as_of"], Channel.DATA, cap or NO_CAP, origin=origin)
        made = Certificate(
            certificate_id=named,
            subject=row["subject"],
            claim=Claim.ALIVE,
            as_of=row["as_of"],
            channel=Channel.DATA,
            strength=Strength(row["strength"]),
            rule_set=row["rule_set"],
            cap_months=cap,
            evidence_ids=ids,
            evidence_class=tuple(row["evidence_class"]),
        )
        await certificates.save_certificate(tx, made, made_at=deps.clock.now(), origin=None)
    return [row["subject"] for row in rows]
