"""Shapes of requests and answers of scoring."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.scoring.domain.explanation import Explanation
from services.scoring.domain.rules import Per, RuleSet
from services.scoring.domain.suspicions import Status
from services.scoring.store.reassessments import Reassessment
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

RuleSetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}@[1-9][0-9]{0,5}$")]
SourceCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- one person ------------------------------------------------------------------------------------------------------


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
    """What one weak source gave."""

    source: str
    label: str
    department: str
    records: int
    points: float
    cap: int


class NeedOut(BaseModel):
    """One condition of the combination of weak evidence."""

    what: str
    have: float
    need: float
    met: bool


class ExplanationOut(BaseModel):
    """An opinion with everything that led to it, in the officer's and in the citizen's words.

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


class SupposedIn(_Request):
    """A signal that is supposed to be there or not; say department and strength of a source that is new."""

    source: SourceCode
    occurred_on: date
    kind: EvidenceKind = EvidenceKind.SEEN
    identity: Identity = Identity.FULL
    department: SourceCode | None = None
    strength: Strength | None = None


class SimulationIn(_Request):
    """What if: a person's signals with changes, or supposed signals alone, under any rule set, on any day."""

    subject: UUID | None = None
    add: Annotated[list[SupposedIn], Field(max_length=500)] = []
    remove: Annotated[list[SupposedIn], Field(max_length=500)] = []
    rule_set: RuleSetName | None = None
    on: date | None = None


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


# ---- rule sets -------------------------------------------------------------------------------------------------------


class WorthOut(BaseModel):
    """What the records of a source are worth."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    points: int
    cap: int
    per: Per


class ThresholdsOut(BaseModel):
    """What a combination needs, all of it together."""

    model_config = ConfigDict(from_attributes=True)

    points: int
    sources: int
    departments: int
    days: int
    newest_days: int


class NegativesOut(BaseModel):
    """How much negative evidence weighs."""

    model_config = ConfigDict(from_attributes=True)

    full: Confidence
    id_only: Confidence
    hospital_death: Confidence
    agreement: Confidence
    independence_days: int
    grace_days: int
    listed: int


class RiskOut(BaseModel):
    """What makes a visit worth its way."""

    model_config = ConfigDict(from_attributes=True)

    old_age: int
    old_age_points: int
    silence_days: int
    silence_points: int
    hospital_points: int
    weak_only_points: int
    habit_ratio: float
    habit_points: int


class RuleSetOut(BaseModel):
    """One dated version of the rules; `in_force` says whether it is the one of today."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    code: str
    version: int
    from_on: date
    label: str
    reference: str
    in_force: bool
    window_months: int
    floor_percent: int
    weak_valid_months: int
    thresholds: ThresholdsOut
    weak: dict[str, WorthOut]
    other_weak: WorthOut
    unsure_strong: WorthOut
    negatives: NegativesOut
    risk: RiskOut


class RuleSetsOut(BaseModel):
    """All rule sets, by code and version."""

    items: list[RuleSetOut]


class RuleChangeOut(BaseModel):
    """One place in which two rule sets differ; null where one has no such value."""

    place: str
    before: str | None
    after: str | None


class RuleDifferenceOut(BaseModel):
    """Where two rule sets differ."""

    before: str
    after: str
    changes: list[RuleChangeOut]


def rule_set_out(rules: RuleSet, *, in_force: bool) -> RuleSetOut:
    """A rule set as it is answered."""
    return RuleSetOut.model_validate(
        {
            **{name: getattr(rules, name) for name in RuleSetOut.model_fields if name != "in_force"},
            "in_force": in_force,
        },
        from_attributes=True,
    )


# ---- reassessments ---------------------------------------------------------------------------------------------------


class ReassessmentIn(_Request):
    """Form opinions anew. With `shadow` nothing is written or said: the changes are only counted."""

    shards: Annotated[set[Annotated[str, Field(pattern=r"^[0-9a-f]$")]], Field(min_length=1)] | None = None
    rule_set: RuleSetName | None = None
    shadow: bool = False

    @model_validator(mode="after")
    def _other_rules_only_compare(self) -> Self:
        if self.rule_set and not self.shadow:
            msg = "another rule set can only be compared (shadow): it takes effect on the date its file says"
            raise ValueError(msg)
        return self


class ReassessmentOut(BaseModel):
    """A reassessment and how far it is; `moves` counts people by decision before and after."""

    reassessment_id: UUID
    status: str
    rule_set: str
    shadow: bool
    assess_on: date
    requested_by: str
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    shards: int
    shards_finished: int
    people: int
    changed: int
    moves: dict[str, int]


def reassessment_out(found: Reassessment) -> ReassessmentOut:
    """A reassessment as it is answered."""
    done = found.finished == found.shards
    status = "cancelled" if found.cancelled_at else "succeeded" if done else "running" if found.finished else "queued"
    return ReassessmentOut(
        reassessment_id=found.reassessment_id,
        status=status,
        rule_set=found.rule_set,
        shadow=found.shadow,
        assess_on=found.assess_on,
        requested_by=found.requested_by,
        requested_at=found.requested_at,
        finished_at=found.finished_at if done else None,
        shards=found.shards,
        shards_finished=found.finished,
        people=found.people,
        changed=found.changed,
        moves=dict(found.moves),
    )


class FiguresOut(BaseModel):
    """What an operator asks first."""

    signals: int
    assessments: int
    certifiable: int
    insufficient: int
    suspected: int
    suspicions_open: dict[str, int]
