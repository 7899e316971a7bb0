"""Revoking a certificate: noted beside it with reason and successor, told to every program; nothing is rewritten."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.recognition.domain.programs import ENDS_LIFE
from services.recognition.store import certificates, divisions, lookups, peers
from services.recognition.store.certificates import Revocation
from services.recognition.store.decisions import Decided
from services.recognition.store.lookups import Asker
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce, shard_of
from services.recognition.usecases.sightings import VISIT_WITHDRAWN
from shared.contracts.events import CERTIFICATE_REVOKED, CertificateRevoked
from shared.contracts.vocabulary import Channel, Claim
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, NotFoundError
from shared.kit.telemetry import mask_text

_BY_VISIT = frozenset({Channel.HOME, Channel.REMOTE})


class RevokedError(ConflictError):
    """It was taken back before."""

    code = "revoked"


async def revoke(deps: Deps, tx: WriteTx, one: Revocation) -> bool:
    """Revoke one certificate and say so; False when that had been done. The caller lets what is left count again."""
    now = deps.clock.now()
    if not await certificates.revoke(tx, one, now):
        return False
    channel, origin = await certificates.find_making(tx, one.subject, one.certificate_id)
    # Where an end was decided it is the person who is in doubt, and nobody is to knock for it at a mourner's door.
    names_visit = channel in _BY_VISIT and one.reason != VISIT_WITHDRAWN and one.decision_id is None
    fact = CertificateRevoked(
        certificate_id=one.certificate_id,
        subject=one.subject,
        claim=Claim.ALIVE,
        reason=one.reason,
        successor_id=one.successor_id,
        revoked_at=now,
        channel=channel,
        visit_id=origin if names_visit else None,
    )
    await deps.outbox.say(tx, CERTIFICATE_REVOKED, fact)
    return True


async def revoke_life(deps: Deps, tx: WriteTx, decided: Decided) -> None:
    """Revoke what certifies a person alive from the day two officers say he died on, and say so to every program."""
    if decided.reason not in ENDS_LIFE or decided.event_on is None:
        return
    for certificate_id in await certificates.list_in_force(tx, decided.subject, since=decided.event_on):
        made = Revocation(
            subject=decided.subject,
            certificate_id=certificate_id,
            reason=decided.reason,
            decision_id=decided.decision_id,
        )
        if await revoke(deps, tx, made):
            await certificates.forget_announced(tx, decided.subject)
    await certificates.hold_again(tx, decided.subject, Claim.ALIVE)


async def take_back(deps: Deps, tx: WriteTx, one: Revocation) -> None:
    """Revoke a certificate that should not have been made; what else certifies the person counts, and is told.

    Raises:
        RevokedError: it was taken back before.
    """
    if not await revoke(deps, tx, one):
        detail = "This certificate has been revoked before; a revocation is final."
        raise RevokedError(detail)
    await tell_what_is_left(deps, tx, [one.subject])


async def tell_what_is_left(deps: Deps, tx: WriteTx, subjects: Sequence[UUID]) -> None:
    """Let what still certifies people count, and say so again.

    Also where it counted before: of the certificates of a month the first is told, and it may be the one that fell.
    """
    for subject in subjects:
        await certificates.hold_again(tx, subject, Claim.ALIVE)
        await certificates.forget_announced(tx, subject)
    await announce(deps, tx, list(subjects))


async def revoke_by_officer(deps: Deps, tx: WriteTx, asker: Asker, caller: Caller, one: Revocation) -> Revocation:
    """An officer takes back a certificate of a person one of his programs pays, or has paid. That stops nothing.

    The newest certificate left in force is its successor.

    Raises:
        NotFoundError: no such certificate, or of nobody his programs pay.
        RevokedError: it was taken back before.
    """
    subject, certificate_id = one.subject, one.certificate_id
    await certificates.lock_shard(tx, shard_of(subject))
    programs = None if "*" in caller.programs else sorted(caller.programs)
    # A roster that lists him no more leaves a stop to decide all the same.
    known = await certificates.find_certificate(tx, subject, certificate_id, programs, once_listed=True)
    if known is None or not await divisions.leads_to(tx, subject, programs, caller.divisions):
        detail = "No person of your programs has such a certificate."
        raise NotFoundError(detail)
    made = replace(
        one,
        successor_id=await certificates.newest_in_force(tx, subject, Claim.ALIVE, certificate_id),
        revoked_by=caller.user,
        grounds=mask_text(one.grounds or ""),
    )
    await take_back(deps, tx, made)
    await peers.withdraw(tx, await peers.list_behind(tx, subject, certificate_id), deps.clock.now())
    await lookups.log_usage(tx, asker, subject=subject, answer="revoked")
    return made
