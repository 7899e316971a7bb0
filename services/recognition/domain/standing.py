"""Standing of a person: the latest opinion and what people concluded, the same whatever order they came in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from shared.contracts.vocabulary import CaseConclusion, Decision, SuspicionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What scoring said, and when; the message id decides between two of one instant."""

    decision: Decision
    said_at: datetime
    said_id: UUID


class Finding(StrEnum):
    """What a conclusion means for the review of a person."""

    CLEARS = "clears"
    CONFIRMS = "confirms"
    NEITHER = "neither"


def finding_of(conclusion: CaseConclusion) -> Finding:
    """What a concluded case does to a review; an inconclusive one goes on."""
    if conclusion in {CaseConclusion.UNFOUNDED, CaseConclusion.FALSE_DEATH}:
        return Finding.CLEARS
    if conclusion in {CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT}:
        return Finding.CONFIRMS
    return Finding.NEITHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Latest opinion and latest findings; merging is a maximum, so order and repetition do not matter."""

    opinion: Opinion | None = None
    cleared_at: datetime | None = None
    confirmed_at: datetime | None = None

    @property
    def under_review(self) -> bool:
        """Whether people still have to look: a suspicion that no later conclusion answers, whatever it found.

        What a confirmed case means is decided program by program; until then each waits for its own decision.
        """
        if self.opinion is None or self.opinion.decision is not Decision.SUSPECTED:
            return False
        return all(at is None or self.opinion.said_at > at for at in (self.cleared_at, self.confirmed_at))


_KINDS = frozenset(SuspicionKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspected:
    """The opinion a person is under review for.

    Attributes:
        said_at: when scoring said it.
        kinds: what it suspects.
        since: the earliest day on which that may have happened; None where the opinion names none.
    """

    said_at: datetime
    kinds: frozenset[SuspicionKind]
    since: date | None

    def is_answered_by(self, found: Mapping[SuspicionKind, date]) -> bool:
        """Whether people had looked at all of it by these days: what may have happened later they did not see."""
        return all(kind in found and (self.since is None or self.since <= found[kind]) for kind in self.kinds)


def kinds_of(reasons: Iterable[str]) -> frozenset[SuspicionKind]:
    """What an opinion suspects, by the reasons it gives: `kind:confidence`."""
    return frozenset(SuspicionKind(word) for word in (each.partition(":")[0] for each in reasons) if word in _KINDS)


def with_opinion(standing: Standing, opinion: Opinion) -> Standing:
    """The standing after scoring said something; what is older than the known opinion changes nothing."""
    known = standing.opinion
    if known and (known.said_at, known.said_id) >= (opinion.said_at, opinion.said_id):
        return standing
    return replace(standing, opinion=opinion)


def with_finding(standing: Standing, finding: Finding, at: datetime) -> Standing:
    """The standing after people concluded something."""
    if finding is Finding.CLEARS:
        return replace(standing, cleared_at=max(at, standing.cleared_at or at))
    if finding is Finding.CONFIRMS:
        return replace(standing, confirmed_at=max(at, standing.confirmed_at or at))
    return standing
