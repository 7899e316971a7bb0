"""Suspicions over time: one open a person and kind, grown by evidence, ended by what people conclude."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID

from services.scoring.domain.negatives import Suspicion
from services.scoring.domain.signals import Kind
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind


class Status(StrEnum):
    """Where a suspicion stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"


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
    if known is None:
        raised = Raised(
            suspicion_id=identity, subject=subject, found=found, revision=1, status=Status.OPEN, raised_on=today
        )
        return Raising(raised=raised, say=True)
    same = (known.confidence, known.event_on, known.reasons) == (found.confidence, found.event_on, found.reasons)
    grown = not known.evidence.issuperset(found.evidence)
    if known.status is not Status.OPEN or (same and not grown):
        return None
    raised = Raised(
        suspicion_id=identity,
        subject=subject,
        found=found,
        revision=known.revision + grown,
        status=Status.OPEN,
        raised_on=known.raised_on,
    )
    return Raising(raised=raised, say=grown)


_REFUTES = {
    SuspicionKind.DEATH: (Kind.REFUTED_DEATH, Kind.REFUTED_CONFLICT),
    SuspicionKind.INCARCERATION: (Kind.REFUTED_INCARCERATION,),
    SuspicionKind.MISSING: (Kind.REFUTED_MISSING, Kind.REFUTED_CONFLICT),
    SuspicionKind.CONFLICT: (Kind.REFUTED_CONFLICT,),
}
_KIND_OF = {
    Kind.REFUTED_DEATH: SuspicionKind.DEATH,
    Kind.REFUTED_INCARCERATION: SuspicionKind.INCARCERATION,
    Kind.REFUTED_MISSING: SuspicionKind.MISSING,
    Kind.REFUTED_CONFLICT: SuspicionKind.CONFLICT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What a conclusion of people means here: facts that outweigh earlier evidence, suspicions it ends."""

    facts: tuple[Kind, ...]
    ends: tuple[SuspicionKind, ...]
    status: Status


def consequence(kind: SuspicionKind, conclusion: CaseConclusion) -> Consequence | None:
    """What follows from a conclusion; None where the question stays open."""
    if conclusion is CaseConclusion.INCONCLUSIVE:
        return None
    if conclusion in (CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT):
        return Consequence(facts=(), ends=(kind,), status=Status.CONFIRMED)
    facts = _REFUTES.get(kind, ())
    if conclusion is CaseConclusion.FALSE_DEATH:
        # Whoever is found alive refutes the death, under whichever heading the case was opened.
        facts = tuple(dict.fromkeys((*facts, Kind.REFUTED_DEATH, Kind.REFUTED_CONFLICT)))
    return Consequence(facts=facts, ends=tuple(_KIND_OF[fact] for fact in facts), status=Status.REFUTED)
