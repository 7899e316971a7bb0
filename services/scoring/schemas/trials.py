"""Shapes about the order of visits and about back-tests."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.scoring.domain.priority import spoken
from services.scoring.schemas.common import Day, Request, RuleSetName, Shard
from services.scoring.usecases.order import Asked, Ordered

_YEAR = 365.25


MOST_VISITS = 20_000
"""People whose visits are ordered in one call."""


class CandidateIn(Request):
    """Somebody who may be visited, with what the caller knows of him."""

    subject: UUID
    born_on: date | None = None
    sex: Literal["male", "female"] | None = None


class VisitOrderIn(Request):
    """Whose visits are to be ordered; somebody named twice counts once, as he was named first."""

    people: Annotated[list[CandidateIn], Field(min_length=1, max_length=MOST_VISITS)]


class VisitRiskOut(BaseModel):
    """One place in the order, from rank 1.

    The risk, between 0 and 1 over many powers of ten, orders visits and says nothing about a person. Reasons, the
    gravest first: unidentified_record, silent_against_habit, hospital_without_return, unseen_half_year, never_seen,
    oldest, weak_only; none where nothing but age speaks for a visit.
    """

    subject: UUID
    rank: int
    risk: float
    reasons: list[str]


class VisitOrderOut(BaseModel):
    """The people asked for, the most urgent visit first."""

    rule_set: str
    assessed_on: date
    items: list[VisitRiskOut]


def asked_of(people: Sequence[CandidateIn], today: date) -> Asked:
    """Candidates as columns."""
    words = np.frombuffer(b"".join(each.subject.bytes for each in people), dtype="S16")
    subjects, first = np.unique(words, return_index=True)
    ages = [(today - each.born_on).days / _YEAR if each.born_on else np.nan for each in people]
    sexes = [np.nan if each.sex is None else float(each.sex == "male") for each in people]
    return Asked(subjects=subjects, age=np.asarray(ages)[first], male=np.asarray(sexes)[first])


def order_body(ordered: Ordered, *, rule_set: str, today: date) -> bytes:
    """An order as JSON of a `VisitOrderOut`, written at once: twenty thousand places need no model each."""
    items = [
        {"subject": subject, "rank": rank, "risk": risk, "reasons": spoken(bits)}
        for rank, (subject, risk, bits) in enumerate(
            zip(ordered.subjects, ordered.risk.tolist(), ordered.reasons.tolist(), strict=True), start=1
        )
    ]
    return orjson.dumps({"rule_set": rule_set, "assessed_on": today.isoformat(), "items": items})


class OutcomeIn(Request):
    """What is known to have happened to somebody."""

    subject: UUID
    lost_on: Day


class BacktestIn(Request):
    """A rule set against a past period, at the end of each month; by default on one shard, a sixteenth of the city.

    Without `outcomes`, what people have concluded is what is known: deaths, prison until the release, disappearances
    until somebody was found, and suspicions found to be none. `outcomes` are taken to be whole: whoever is in none of
    them is held to have lost nothing. Evidence counts from the day it was delivered. The period ends today at the
    latest.
    """

    rule_set: RuleSetName | None = None
    begin: Day
    end: Day
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

    on: Annotated[date, Field(description="last day of the month; everything is as of this day")]
    people: Annotated[int, Field(description="of whom any source had told anything by then")]
    certified: Annotated[int, Field(description="whom data alone would have certified: visits saved")]
    insufficient: Annotated[int, Field(description="for whom data would not have been enough: visits needed")]
    suspected: Annotated[int, Field(description="of whom a case would have been opened")]
    lost: Annotated[
        int, Field(description="had lost the right, by `outcomes` or as people confirmed; also whom no source had seen")
    ]
    lost_suspected: Annotated[int, Field(description="of the lost: suspected, rightly")]
    lost_certified: Annotated[
        int, Field(description="of the lost: certified by evidence dated after the loss, wrongly")
    ]
    missed: Annotated[int, Field(description="of the lost: not suspected")]
    living_suspected: Annotated[
        int, Field(description="suspected wrongly: in no outcome, or without `outcomes` refuted by people")
    ]
    unconcluded: Annotated[
        int, Field(description="suspected, and nobody has concluded whether rightly; 0 with `outcomes`")
    ]


class BacktestOut(BaseModel):
    """A back-test as a table and as a picture (SVG)."""

    rule_set: str
    shards: list[str]
    rows: list[BacktestRowOut]
    note: Annotated[
        str | None, Field(description="in Chinese: of which months nothing can be said, as nothing had been delivered")
    ] = None
    plot: str
