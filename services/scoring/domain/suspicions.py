"""Suspicions over time: one open a person and kind, grown by evidence, ended by what people conclude."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID

from services.scoring.domain.negatives import Suspicion
from services.scoring.domain.signals import BY_PEOPLE, Kind
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind

NO_LONGER = "evidence_no_longer_counts"


class Status(StrEnum):
    """Where a suspicion stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    WITHDRAWN = "withdrawn"  # what it rested on was taken back, or a hint no longer counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A suspicion as it is kept.

    Attributes:
        suspicion_id: follows from subject, kind and episode.
        subject: whom it is about.
        found: what is suspected and why.
        revision: grows with evidence.
        status: where it stands.
        raised_on: business day it was first raised.
    """

    suspicion_id: UUID
    subject: UUID
    found: Suspicion
    revision: int
    status: Status
    raised_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is compared of a suspicion that is kept already."""

    status: Status
    revision: int
    confidence: Confidence
    event_on: date
    evidence: frozenset[int]
    reasons: tuple[str, ...]
    raised_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open suspicion of somebody who is assessed again."""

    suspicion_id: UUID
    subject: UUID
    kind: SuspicionKind
    episode: int
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Raising:
    """A suspicion to keep, and whether it has to be said."""

    raised: Raised
    say: bool


def suspicion_id(subject: UUID, kind: SuspicionKind, episode: int) -> UUID:
    """The id of a suspicion: the same in every run on the same signals."""
    text = b"\0".join((b"suspicion", subject.bytes, kind.encode(), str(episode).encode()))
    return UUID(bytes=blake2b(text, digest_size=16).digest())


def raise_suspicion(subject: UUID, found: Suspicion, known: Known | None, today: date) -> Raising | None:
    """What to keep of a suspicion found now; None when nothing is new, or people have concluded it."""
    identity = suspicion_id(subject, found.kind, found.episode)
    by_people = _status(found) is Status.CONFIRMED
    if known is None or (known.status is Status.REFUTED and by_people):
        # What people have found has been looked into: a case would send them to the family again. It stands, too, where
        # a sighting of an earlier day, said later, has ended it with what that one refutes.
        revision, raised_on = (known.revision, known.raised_on) if known else (1, today)
        raised = Raised(
            suspicion_id=identity,
            subject=subject,
            found=found,
            revision=revision,
            status=_status(found),
            raised_on=raised_on,
        )
        return Raising(raised=raised, say=not by_people)
    if known.status not in (Status.OPEN, Status.WITHDRAWN):
        return None
    same = (known.confidence, known.event_on, known.reasons) == (found.confidence, found.event_on, found.reasons)
    # Less evidence matters as more does: people may be about to act on what was taken back.
    news = known.evidence != frozenset(found.evidence) or known.status is Status.WITHDRAWN
    if same and not news:
        return None
    raised = Raised(
        suspicion_id=identity,
        subject=subject,
        found=found,
        revision=known.revision + news,
        status=_status(found),
        raised_on=known.raised_on,
    )
    return Raising(raised=raised, say=news)


def asks_anew(found: Suspicion, known: Known | None, raising: Raising | None, *, concluded: bool) -> bool:
    """Whether a suspicion found now makes people look who may believe that nothing is open: it has just been opened.

    Or people have just `concluded` another matter of this person: whoever heard them took him to be clear.
    """
    before = known.status if known else None
    now = raising.raised.status if raising else before
    return found.blocks and now is Status.OPEN and (concluded or before is not Status.OPEN)


def _status(found: Suspicion) -> Status:
    # People may conclude before any register tells: then nothing is left for them to look into.
    if found.kind is not SuspicionKind.CONFLICT and not BY_PEOPLE.isdisjoint(found.sources):
        return Status.CONFIRMED
    return Status.OPEN


def withdraw_suspicion(open_one: Open, unfounded: frozenset[int]) -> Raising | None:
    """What to keep and say of an open suspicion that nothing raises any more; None where its evidence still stands.

    It is said again, without evidence, so that whoever looks into it knows; ending the case stays with people.
    """
    known = open_one.known
    if not known.evidence & unfounded:
        return None
    found = Suspicion(
        kind=open_one.kind,
        confidence=Confidence.HINT,
        event_on=known.event_on,
        evidence=(),
        sources=(),
        reasons=(NO_LONGER,),
        episode=open_one.episode,
        blocks=False,
    )
    raised = Raised(
        suspicion_id=open_one.suspicion_id,
        subject=open_one.subject,
        found=found,
        revision=known.revision + 1,
        status=Status.WITHDRAWN,
        raised_on=known.raised_on,
    )
    return Raising(raised=raised, say=True)


_REFUTES = {
    SuspicionKind.DEATH: (Kind.REFUTED_DEATH, Kind.REFUTED_CONFLICT),
    SuspicionKind.INCARCERATION: (Kind.REFUTED_INCARCERATION,),
    SuspicionKind.MISSING: (Kind.REFUTED_MISSING, Kind.REFUTED_CONFLICT),
    # It clears when he is met: whether a death was false is a conclusion of its own, but missing he is not.
    SuspicionKind.CONFLICT: (Kind.REFUTED_MISSING, Kind.REFUTED_CONFLICT),
}
# Whom a neighbour found dead is dead for us too, whatever his cards go on telling and whatever a register takes back.
_FOUND = {
    SuspicionKind.DEATH: (Kind.DIED,),
    SuspicionKind.INCARCERATION: (Kind.CUSTODY,),
    SuspicionKind.MISSING: (Kind.DECLARED_MISSING,),
    # It is confirmed when he is found dead: then cards that were used since tell nothing of him.
    SuspicionKind.CONFLICT: (Kind.DIED,),
}
_ENDS_TOO = {SuspicionKind.CONFLICT: (SuspicionKind.DEATH,)}
"""What else a confirmed suspicion answers."""
_KIND_OF = {
    Kind.REFUTED_DEATH: SuspicionKind.DEATH,
    Kind.REFUTED_INCARCERATION: SuspicionKind.INCARCERATION,
    Kind.REFUTED_MISSING: SuspicionKind.MISSING,
    Kind.REFUTED_CONFLICT: SuspicionKind.CONFLICT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What a conclusion of people means here.

    Attributes:
        refuted: of the day on which he was seen, which outweigh evidence of an event up to then.
        explained: of the day of the conclusion, which outweigh contradictions up to then.
        found: of the day of the event: what people have found to be so, as a register would tell it.
        ends: suspicions that are no longer open.
        status: which they have from then on.
        overturns: suspicions that are no longer confirmed either.
    """

    refuted: tuple[Kind, ...] = ()
    explained: tuple[Kind, ...] = ()
    found: tuple[Kind, ...] = ()
    ends: tuple[SuspicionKind, ...]
    status: Status
    overturns: tuple[SuspicionKind, ...] = ()


_REPORTED = {
    "death": SuspicionKind.DEATH,
    "declared_dead": SuspicionKind.DEATH,
    "household_extinct": SuspicionKind.DEATH,
    "imprisonment": SuspicionKind.INCARCERATION,
    "detention": SuspicionKind.INCARCERATION,
    "missing": SuspicionKind.MISSING,
}


def reported(reason: str) -> SuspicionKind | None:
    """What a request to stop a benefit reports of the person; None where it tells of nothing that scoring weighs.

    What a relative writes in his own words may be a removal as well as a death: who verifies it names which. Whoever
    has been punished need not be in custody.
    """
    return _REPORTED.get(reason)


def consequence(kind: SuspicionKind, conclusion: CaseConclusion) -> Consequence | None:
    """What follows from a conclusion; None where the question stays open."""
    if conclusion is CaseConclusion.INCONCLUSIVE:
        return None
    if conclusion in (CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT):
        ends = (kind, *_ENDS_TOO.get(kind, ()))
        # What contradicted it has been answered with it; whatever contradicts it from now on is a matter of its own.
        explained = (Kind.REFUTED_CONFLICT,) if kind is SuspicionKind.CONFLICT else ()
        return Consequence(explained=explained, found=_FOUND.get(kind, ()), ends=ends, status=Status.CONFIRMED)
    facts = _REFUTES.get(kind, ())
    if conclusion is CaseConclusion.FALSE_DEATH:
        # Whoever is found alive refutes death and disappearance, under whichever heading the case was opened.
        facts = tuple(dict.fromkeys((*facts, Kind.REFUTED_DEATH, Kind.REFUTED_MISSING, Kind.REFUTED_CONFLICT)))
    return Consequence(
        refuted=tuple(fact for fact in facts if fact is not Kind.REFUTED_CONFLICT),
        explained=tuple(fact for fact in facts if fact is Kind.REFUTED_CONFLICT),
        ends=tuple(_KIND_OF[fact] for fact in facts),
        status=Status.REFUTED,
        # Who is alive never died, while a prison or a disappearance that is over has been.
        overturns=(SuspicionKind.DEATH, SuspicionKind.CONFLICT) if Kind.REFUTED_DEATH in facts else (),
    )
