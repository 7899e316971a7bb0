"""Shapes about the order of visits and about back-tests."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.scoring.schemas.common import Request, RuleSetName, Shard


class CandidateIn(Request):
    """Somebody who may be visited, with what the caller knows of him."""

    subject: UUID
    born_on: date | None = None
    sex: Literal["male", "female"] | None = None


class VisitOrderIn(Request):
    """Whose visits are to be ordered."""

    people: Annotated[list[CandidateIn], Field(min_length=1, max_length=5_000)]


class VisitRiskOut(BaseModel):
    """One place in the order; the risk orders visits and says nothing about a person."""

    subject: UUID
    risk: float
    silent_days: int
    reasons: list[str]


class VisitOrderOut(BaseModel):
    """The people asked for, the most urgent visit first."""

    rule_set: str
    assessed_on: date
    items: list[VisitRiskOut]


class OutcomeIn(Request):
    """What is known to have happened to somebody."""

    subject: UUID
    lost_on: date


class BacktestIn(Request):
    """A rule set against a past period, at the end of each month; by default on one shard, a sixteenth of the city.

    Without `outcomes`, the deaths people have confirmed are what is known.
    """

    rule_set: RuleSetName | None = None
    begin: date
    end: date
    shards: Annotated[frozenset[Shard], Field(min_length=1, max_length=4)] = frozenset({"0"})
    outcomes: Annotated[list[OutcomeIn], Field(max_length=8_000)] | None = None

    @model_validator(mode="after")
    def _period_is_one(self) -> Self:
        if not 0 <= (self.end - self.begin).days <= 366 * 2:
            msg = "end must not lie before begin, nor more than two years after it"
            raise ValueError(msg)
        return self


class BacktestRowOut(BaseModel):
    """One past day: visits saved (`certified`) and needed (`insufficient`), cases, and what was missed or wrong."""

    model_config = ConfigDict(from_attributes=True)

    on: date
    people: int
    certified: int
    insufficient: int
    suspected: int
    lost: int
    lost_suspected: int
    lost_certified: int
    missed: int
    living_suspected: int


class BacktestOut(BaseModel):
    """A back-test as a table and as a picture (SVG)."""

    rule_set: str
    shards: list[str]
    rows: list[BacktestRowOut]
    plot: str
