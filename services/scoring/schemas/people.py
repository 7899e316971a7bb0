"""Shapes about one person: opinion, explanation, simulation."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from services.scoring.domain.explanation import Explanation
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.suspicions import Status
from services.scoring.schemas.common import Day, Request, RuleSetName, SourceCode
from services.scoring.usecases.look import Standing
from shared.contracts.vocabulary import (
    Confidence,
    Decision,
    EvidenceKind,
    Identity,
    Level,
    Strength,
    SuspicionKind,
)


class SuspicionOut(BaseModel):
    """Something that may have ended the right to a benefit; neutral until people have looked."""

    suspicion_id: UUID
    kind: SuspicionKind
    confidence: Confidence
    event_on: date
    status: Status
    revision: int
    sources: list[str]
    reasons: list[str]
    evidence_ids: list[int]
    raised_on: date
    concluded_at: AwareDatetime | None
    rule_set: str


class AssessmentOut(BaseModel):
    """Scoring's opinion of a person.

    `assessed_on` and `rule_set` tell when and by which rules it became what it is, `confirmed_on` and `confirmed_by`
    for which day and under which rules it was last seen to hold.
    """

    subject: UUID
    level: Level
    decision: Decision
    as_of: date | None
    strength: Strength | None
    points: int
    valid_months: int | None
    reasons: list[str]
    evidence_ids: list[int]
    evidence_class: list[str]
    rule_set: str
    assessed_on: date
    confirmed_by: str
    confirmed_on: date
    suspicions: list[SuspicionOut]


class StrongOut(BaseModel):
    """The newest strong act."""

    source: str
    department: str
    occurred_on: date
    evidence_id: int


class WeakOut(BaseModel):
    """What one weak source gave.

    `days` are those of the records that gave it, newest first: a simulation removes by source and day.
    """

    source: str
    label: str
    department: str
    records: int
    points: float
    cap: int
    days: list[date]


class NeedOut(BaseModel):
    """One condition of the combination of weak evidence."""

    what: str
    have: float
    need: float
    met: bool


class ExplanationOut(BaseModel):
    """An opinion with everything that led to it, in the officer's and in the citizen's words.

    It knows data only: `insufficient` may be said of somebody who is certified by a visit, at a counter or by his face.
    The citizen's words name classes of evidence and months only; nothing else of this answer is for him.
    """

    subject: UUID | None
    rule_set: str
    assessed_on: date
    level: Level
    decision: Decision
    strength: Strength | None
    as_of: date | None
    valid_months: int | None
    reasons: list[str]
    strong: StrongOut | None
    weak: list[WeakOut]
    needs: list[NeedOut]
    officer: list[str]
    citizen: list[str]


class SupposedIn(Request):
    """A signal that is supposed to be there or not; say department and strength of a source that is new.

    What is removed is found by source, day and kind.
    """

    source: SourceCode
    occurred_on: Day
    kind: EvidenceKind = EvidenceKind.SEEN
    identity: Identity = Identity.FULL
    department: SourceCode | None = None
    strength: Strength | None = None


class SimulationIn(Request):
    """What if: a person's signals with changes, or supposed signals alone, under any rule set, on any day."""

    subject: UUID | None = None
    add: Annotated[tuple[SupposedIn, ...], Field(max_length=500)] = ()
    remove: Annotated[tuple[SupposedIn, ...], Field(max_length=500)] = ()
    rule_set: RuleSetName | None = None
    on: Day | None = None


def assessment_out(standing: Standing) -> AssessmentOut:
    """A standing as it is answered."""
    found = standing.assessment
    return AssessmentOut(
        subject=found.subject,
        level=found.level,
        decision=found.decision,
        as_of=found.as_of,
        strength=found.strength,
        points=found.points,
        valid_months=found.valid_months,
        reasons=list(found.reasons),
        evidence_ids=list(found.evidence_ids),
        evidence_class=list(found.evidence_class),
        rule_set=found.rule_set,
        assessed_on=found.assessed_on,
        confirmed_by=standing.confirmed_by,
        confirmed_on=standing.confirmed_on,
        suspicions=[
            SuspicionOut(
                suspicion_id=each.raised.suspicion_id,
                kind=each.raised.found.kind,
                confidence=each.raised.found.confidence,
                event_on=each.raised.found.event_on,
                status=each.raised.status,
                revision=each.raised.revision,
                sources=list(each.raised.found.sources),
                reasons=list(each.raised.found.reasons),
                evidence_ids=list(each.raised.found.evidence),
                raised_on=each.raised.raised_on,
                concluded_at=each.concluded_at,
                rule_set=each.rule_set,
            )
            for each in standing.suspicions
        ],
    )


def explanation_out(found: Explanation, *, subject: UUID | None, rules: RuleSet, on: date) -> ExplanationOut:
    """An explanation as it is answered."""
    return ExplanationOut(
        subject=subject,
        rule_set=rules.name,
        assessed_on=on,
        level=found.level,
        decision=found.decision,
        strength=found.strength,
        as_of=found.as_of,
        valid_months=found.valid_months,
        reasons=list(found.reasons),
        strong=StrongOut.model_validate(found.strong, from_attributes=True) if found.strong else None,
        weak=[WeakOut.model_validate(each, from_attributes=True) for each in found.weak],
        needs=[NeedOut.model_validate(each, from_attributes=True) for each in found.needs],
        officer=list(found.officer),
        citizen=list(found.citizen),
    )
