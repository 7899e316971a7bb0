"""Shapes about rule sets, reassessments and figures."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.scoring.domain.rules import Per, RuleSet
from services.scoring.schemas.common import Division, Request, RuleSetName, Shard
from services.scoring.store.reassessments import Reassessment
from shared.contracts.vocabulary import Confidence


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


class UnidentifiedOut(BaseModel):
    """When a death record without a number makes people look."""

    model_config = ConfigDict(from_attributes=True)

    candidates: int
    silent_days: int


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
    unidentified: UnidentifiedOut | None
    outside_sources: list[str]


class AddOnsOut(BaseModel):
    """What raises a risk beside age and silence."""

    model_config = ConfigDict(from_attributes=True)

    oldest_from: int
    oldest: float
    unseen_days: int
    unseen: float
    hospital_sources: list[str]
    hospital: float
    weak_only: float
    weak_only_windows: int
    unidentified: float


class RiskOut(BaseModel):
    """What makes a visit worth its way."""

    model_config = ConfigDict(from_attributes=True)

    reference: str
    male: dict[int, float]
    female: dict[int, float]
    register_days: int
    register_percent: int
    habit_limit: float
    shortest_days: int
    add_ons: AddOnsOut


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


class ReassessmentIn(Request):
    """Form opinions anew, everybody's or those of a county, town or village.

    With `shadow` nothing is written or said: the changes are only counted.
    """

    division: Division | None = None
    shards: Annotated[set[Shard], Field(min_length=1)] | None = None
    rule_set: RuleSetName | None = None
    shadow: bool = False

    @model_validator(mode="after")
    def _other_rules_only_compare(self) -> Self:
        if self.rule_set and not self.shadow:
            msg = "another rule set can only be compared (shadow): it takes effect on the date its file says"
            raise ValueError(msg)
        return self


class ReassessmentOut(BaseModel):
    """A reassessment and how far it is, over the shards that are done.

    `people` were assessed. Of them `changed` have an opinion that differs from the stored one in anything: level,
    decision, day, points, evidence or reasons; with `shadow`, that would differ. `moves` counts everybody by decision
    before and after, as `insufficient>certifiable`; who keeps his is counted too, as `certifiable>certifiable`.
    """

    reassessment_id: UUID
    status: str
    rule_set: str
    shadow: bool
    division: str | None
    assess_on: date
    requested_by: str
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    shards: int
    shards_finished: int
    people: int
    changed: int
    moves: dict[str, int]


class ReassessmentsOut(BaseModel):
    """A page of reassessments, the newest first."""

    items: list[ReassessmentOut]
    next_cursor: UUID | None


def reassessment_out(found: Reassessment) -> ReassessmentOut:
    """A reassessment as it is answered."""
    done = found.finished == found.shards
    status = "cancelled" if found.cancelled_at else "succeeded" if done else "running" if found.finished else "queued"
    return ReassessmentOut(
        reassessment_id=found.reassessment_id,
        status=status,
        rule_set=found.rule_set,
        shadow=found.shadow,
        division=found.division,
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
