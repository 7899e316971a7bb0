"""Rule sets as files: every `*.toml` here is one dated version, checked whole when the service starts."""

import tomllib
from collections.abc import Sequence
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.scoring.domain.rules import AddOns, Negatives, Per, Risk, RuleSet, Thresholds, Unidentified, Worth
from shared.contracts.vocabulary import Confidence

Text = Annotated[str, Field(min_length=1)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
Points = Annotated[int, Field(ge=0, le=1000)]
Days = Annotated[int, Field(ge=0, le=3660)]
Months = Annotated[int, Field(ge=1, le=60)]
Factor = Annotated[float, Field(ge=1, le=10_000)]
Deaths = dict[Annotated[int, Field(ge=0, le=120)], Annotated[float, Field(gt=0, le=1000)]]


class PolicyError(Exception):
    """A rule set file that cannot be used: which file, which key, why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _WorthFile(_Strict):
    label: Text
    points: Points
    cap: Points
    per: Per = Per.DAY

    @model_validator(mode="after")
    def _cap_holds_a_record(self) -> Self:
        if self.cap < self.points:
            msg = "cap must not be below points: one record would not fit"
            raise ValueError(msg)
        return self

    def build(self) -> Worth:
        return Worth(label=self.label, points=self.points, cap=self.cap, per=self.per)


class _ThresholdsFile(_Strict):
    points: Annotated[int, Field(ge=1, le=1000)]
    sources: Annotated[int, Field(ge=2, le=50)]
    departments: Annotated[int, Field(ge=2, le=50)]
    days: Annotated[int, Field(ge=2, le=366)]
    newest_days: Annotated[int, Field(ge=1, le=366)]


class _UnidentifiedFile(_Strict):
    candidates: Annotated[int, Field(ge=1, le=9)]
    silent_days: Annotated[int, Field(ge=1, le=366)]


class _NegativesFile(_Strict):
    full: Confidence
    id_only: Confidence
    hospital_death: Confidence
    agreement: Confidence
    independence_days: Days
    grace_days: Days
    listed: Annotated[int, Field(ge=1, le=200)]
    unidentified: _UnidentifiedFile | None = None
    outside_sources: tuple[Code, ...] = ()

    @model_validator(mode="after")
    def _more_evidence_weighs_more(self) -> Self:
        order = list(Confidence)
        if not order.index(self.id_only) <= order.index(self.full) <= order.index(self.agreement):
            msg = "id_only must not weigh more than full, nor full more than agreement"
            raise ValueError(msg)
        if self.hospital_death is Confidence.CONCLUSIVE:
            msg = "hospital_death must not be conclusive: it is the word of one hospital"
            raise ValueError(msg)
        return self

    def build(self) -> Negatives:
        plain = self.model_dump(exclude={"unidentified"})
        rule = Unidentified(**self.unidentified.model_dump()) if self.unidentified else None
        return Negatives(**plain, unidentified=rule)


class _AddOnsFile(_Strict):
    oldest_from: Annotated[int, Field(ge=60, le=120)]
    oldest: Factor
    unseen_days: Annotated[int, Field(ge=1, le=366)]
    unseen: Factor
    hospital_sources: Annotated[tuple[Code, ...], Field(min_length=1)]
    hospital: Factor
    weak_only: Factor
    weak_only_windows: Annotated[int, Field(ge=1, le=10)]
    unidentified: Factor


class _RiskFile(_Strict):
    reference: Text
    male: Deaths
    female: Deaths
    register_days: Annotated[int, Field(ge=1, le=366)]
    register_percent: Annotated[int, Field(ge=0, le=100)]
    habit_limit: Factor
    shortest_days: Annotated[int, Field(ge=1, le=366)]
    add_ons: _AddOnsFile

    @model_validator(mode="after")
    def _begins_at_birth(self) -> Self:
        if 0 not in self.male or 0 not in self.female:
            msg = "male and female must each have a band that begins at age 0"
            raise ValueError(msg)
        return self

    def build(self) -> Risk:
        plain = self.model_dump(exclude={"add_ons"})
        return Risk(**plain, add_ons=AddOns(**self.add_ons.model_dump()))


class _RuleSetFile(_Strict):
    """A rule set as written; bounds keep a slip of the pen from becoming law."""

    code: Code
    version: Annotated[int, Field(ge=1)]
    from_on: Annotated[date, Field(alias="from")]
    label: Text
    reference: Text
    window_months: Months
    floor_percent: Annotated[int, Field(ge=0, le=100)]
    weak_valid_months: Months
    thresholds: _ThresholdsFile
    weak: dict[Code, _WorthFile]
    other_weak: _WorthFile
    unsure_strong: _WorthFile
    negatives: _NegativesFile
    risk: _RiskFile

    @model_validator(mode="after")
    def _weak_evidence_can_pass(self) -> Self:
        most = sum(each.cap for each in self.weak.values())
        if most < self.thresholds.points or len(self.weak) < self.thresholds.sources:
            msg = f"thresholds are out of reach: {len(self.weak)} weak sources give {most} points at most"
            raise ValueError(msg)
        if self.weak_valid_months > self.window_months:
            msg = "weak_valid_months must not exceed window_months"
            raise ValueError(msg)
        return self

    def build(self) -> RuleSet:
        return RuleSet(
            code=self.code,
            version=self.version,
            from_on=self.from_on,
            label=self.label,
            reference=self.reference,
            window_months=self.window_months,
            floor_percent=self.floor_percent,
            weak={code: worth.build() for code, worth in sorted(self.weak.items())},
            other_weak=self.other_weak.build(),
            unsure_strong=self.unsure_strong.build(),
            thresholds=Thresholds(**self.thresholds.model_dump()),
            weak_valid_months=self.weak_valid_months,
            negatives=self.negatives.build(),
            risk=self.risk.build(),
        )


def load(folder: Traversable | None = None) -> tuple[RuleSet, ...]:
    """All rule sets in a folder (by default this one), by code and version.

    Raises:
        PolicyError: a file is not valid TOML, has an unknown, missing or impossible key, or repeats a version.
    """
    place = folder or resources.files(__name__)
    files = sorted((each for each in place.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    found: dict[str, str] = {}
    rule_sets = []
    for file in files:
        rules = parse(file.read_text(encoding="utf-8"), name=file.name)
        if rules.name in found:
            msg = f"{file.name}: {rules.name} is declared in {found[rules.name]} already; raise the version"
            raise PolicyError(msg)
        found[rules.name] = file.name
        rule_sets.append(rules)
    if not rule_sets:
        msg = "there is no rule set: put at least one *.toml into services/scoring/policies"
        raise PolicyError(msg)
    return tuple(sorted(rule_sets, key=lambda each: (each.code, each.version)))


def parse(text: str, *, name: str) -> RuleSet:
    """The rule set in a TOML text; `name` is for the error.

    Raises:
        PolicyError: not valid, with file, line or key, and reason.
    """
    try:
        return _RuleSetFile.model_validate(tomllib.loads(text)).build()
    except tomllib.TOMLDecodeError as error:
        msg = f"{name}: {error}"
        raise PolicyError(msg) from error
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        msg = f"{name}: {places}"
        raise PolicyError(msg) from error


def in_force(rule_sets: Sequence[RuleSet], code: str, today: date) -> RuleSet:
    """The version of `code` in force on a day: the latest that has begun.

    Raises:
        PolicyError: none has begun.
    """
    begun = [each for each in rule_sets if each.code == code and each.from_on <= today]
    if not begun:
        msg = f"no version of rule set {code} is in force on {today.isoformat()}"
        raise PolicyError(msg)
    return max(begun, key=lambda each: (each.from_on, each.version))
