"""Certificates of peer departments: an annual confirmation, another region's help. Recognition works both ways."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.certificates import NO_CAP, Certificate, certificate_id
from services.recognition.domain.peers import IdCheck, PeerMethod, PeerRevocation, weight
from services.recognition.domain.programs import Program
from services.recognition.store import certificates, lookups, peers
from services.recognition.store.certificates import Revocation
from services.recognition.store.lookups import Asker
from services.recognition.store.peers import PeerCertificate
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce, shard_of
from services.recognition.usecases.revoking import RevokedError, take_back
from services.recognition.usecases.sightings import anew, keep_sighting
from shared.contracts.vocabulary import Claim
from shared.kit.auth import Caller
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, ForbiddenError, MalformedError, NotFoundError

_RULE, _COUNTER_RULE = "peer@1", "counter@1"


class NotOwnerError(ForbiddenError):
    """Only the department a program belongs to certifies for it."""

    code = "not_owner"


class UnderReviewError(ConflictError):
    """Somebody looks into the person: what a clerk sees does not answer that."""

    code = "under_review"


class ReferenceTakenError(ConflictError):
    """One record stands for one certification."""

    code = "reference_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What an office has certified itself.

    Attributes:
        certified_on: day it saw the person; validity counts from there, however late this comes.
        reference: of its own record.
        id_check: how a clerk made sure who it is, for a counter and for nothing else.
    """

    certified_on: date
    method: PeerMethod
    reference: str
    id_check: IdCheck | None = None


@dataclass(frozen=True, slots=True)
class Office:
    """Who certifies, for which program of its own, and what the usage log keeps of it."""

    caller: Caller
    asker: Asker
    program: Program


def _require_owner(office: Office) -> None:
    if office.caller.department != office.program.owner:
        detail = "Only the department that owns the program can certify people of it."
        raise NotOwnerError(detail)


async def attest(deps: Deps, tx: WriteTx, office: Office, subject: UUID, said: Attested) -> UUID:
    """Take in a certification; the id of its certificate. The same record again changes nothing.

    It only certifies: a suspicion people look into stays until they have concluded, and no counter certifies over it.

    Raises:
        NotOwnerError: the program is another department's.
        MalformedError: it lies in the future.
        NotFoundError: the program does not pay the person.
        UnderReviewError: at a counter, of whom people look into or hold for dead.
        ReferenceTakenError: the reference stands for another certification.
        RevokedError: the same certificate was taken back after that day.
    """
    program = office.program
    _require_owner(office)
    await certificates.lock_shard(tx, shard_of(subject))
    if said.certified_on > deps.clock.today():
        detail = "certified_on lies in the future; say what has happened."
        raise MalformedError(detail)
    if not await peers.is_listed(tx, subject, program.code):
        detail = "The program has no such person; only people its roster lists can be certified from here."
        raise NotFoundError(detail)
    if said.method is PeerMethod.COUNTER and await peers.is_looked_into(tx, subject):
        detail = "This person is being looked into: call an officer of the program, who certifies by concluding it."
        raise UnderReviewError(detail)
    made = _certificate(deps, subject, said)
    known = await peers.find_peer(tx, office.caller.client_id, said.reference)
    if known is None:
        kept = await _keep(deps, tx, office, made, said)
    elif known.certificate_id not in {made.certificate_id, anew(made, known.peer_id)} or known.program != program.code:
        detail = "This reference stands for another certification; give each its own."
        raise ReferenceTakenError(detail)
    else:
        kept = known.certificate_id
    await lookups.log_usage(tx, office.asker, subject=subject, answer="certified")
    return kept


def _certificate(deps: Deps, subject: UUID, said: Attested) -> Certificate:
    worth = weight(said.method, deps.policies.on(said.certified_on).peer.video_months)
    return Certificate(
        certificate_id=certificate_id(
            subject, Claim.ALIVE, said.certified_on, worth.channel, worth.cap_months or NO_CAP
        ),
        subject=subject,
        claim=Claim.ALIVE,
        as_of=said.certified_on,
        channel=worth.channel,
        strength=worth.strength,
        rule_set=_COUNTER_RULE if said.method is PeerMethod.COUNTER else _RULE,
        cap_months=worth.cap_months,
        evidence_ids=(),
        evidence_class=("in_person",),
    )


async def _keep(deps: Deps, tx: WriteTx, office: Office, made: Certificate, said: Attested) -> UUID:
    """Keep what an office saw; who was seen today may have been so after today's certificate was taken back."""
    peer_id, now = uuids.uuid7(), deps.clock.now()
    earliest = datetime.combine(said.certified_on, time.min, SHANGHAI)
    seen_at = now if said.certified_on == deps.clock.today() else earliest
    kept = await keep_sighting(deps, tx, made, origin=peer_id, at=seen_at)
    if kept is None:
        detail = "A certificate of this day and kind was taken back since; a revocation is final."
        raise RevokedError(detail)
    one = PeerCertificate(
        peer_id=peer_id,
        client_id=office.caller.client_id,
        reference=said.reference,
        subject=made.subject,
        certificate_id=kept,
        program=office.program.code,
        department=office.program.owner,
        method=said.method,
        certified_by=office.caller.user,
        received_at=now,
        id_check=said.id_check,
    )
    await peers.add_peer(tx, one)
    await announce(deps, tx, [made.subject])
    return kept


@dataclass(frozen=True, slots=True)
class Wrong:
    """A certification that is taken back.

    Attributes:
        instead: what is right; its certificate becomes the successor.
        methods: what the caller may take back.
        certified_by: whose word it is, where he takes back no other's.
    """

    subject: UUID
    certificate_id: UUID
    reason: PeerRevocation
    instead: Attested | None = None
    methods: Collection[PeerMethod] = tuple(PeerMethod)
    certified_by: str | None = None


async def take_back_own(deps: Deps, tx: WriteTx, asker: Asker, caller: Caller, wrong: Wrong) -> None:
    """A department takes back what it certified, or a clerk his own word; where another stands behind it, it holds.

    Raises:
        NotFoundError: the client, or the clerk, has certified no such thing, or taken it back before.
        NotOwnerError: its program is no longer the department's.
    """
    subject, revoked = wrong.subject, wrong.certificate_id
    await certificates.lock_shard(tx, shard_of(subject))
    own = await _own(deps, tx, caller, wrong)
    office = Office(caller, asker, deps.programs[own[0].program])
    _require_owner(office)
    await peers.withdraw(tx, own, deps.clock.now())
    successor = await attest(deps, tx, office, subject, wrong.instead) if wrong.instead else None
    if not await peers.list_behind(tx, subject, revoked) and not await peers.is_of_another(tx, subject, revoked):
        made = Revocation(
            subject=subject,
            certificate_id=revoked,
            reason=wrong.reason,
            successor_id=successor or await certificates.newest_in_force(tx, subject, Claim.ALIVE, revoked),
            revoked_by=caller.user,
        )
        await take_back(deps, tx, made)
    await lookups.log_usage(tx, asker, subject=subject, answer="revoked")


async def _own(deps: Deps, tx: ReadTx, caller: Caller, wrong: Wrong) -> list[PeerCertificate]:
    """What a client certified, or one clerk of it, and may take back; at least one."""
    own = [
        each
        for each in await peers.list_behind(tx, wrong.subject, wrong.certificate_id)
        if each.client_id == caller.client_id
        and each.method in wrong.methods
        and wrong.certified_by in {None, each.certified_by}
        and caller.may_program(each.program)
        and each.program in deps.programs
    ]
    if not own:
        detail = "You have certified no such thing, or have taken it back; an officer takes back what others certified."
        raise NotFoundError(detail)
    return own
