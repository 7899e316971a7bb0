"""Shapes of an officer's work: what waits, objections, and a person's whole history."""

from datetime import date
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, model_validator

from services.recognition.domain.objections import ObjectionAbout, ObjectionStage, ObjectionState
from services.recognition.schemas.common import Day, In, Out, Truth, Words
from services.recognition.schemas.partner import CitizenId


class WaitingOut(Out):
    """Something that waits for an officer; `next_step` says what to do, `id` is of what `kind` speaks of."""

    kind: str
    id: UUID
    subject: UUID
    program: str
    reason: str
    since: AwareDatetime
    due_on: date | None
    next_step: str


class WorkOut(Out):
    """What waits: deadlines first, then the oldest; `counts` over everything, whoever may do it."""

    items: list[WaitingOut]
    counts: dict[str, int]


class AnswerIn(In):
    """The answer to an objection, in words the person reads.

    One that is upheld against a stop announced or proposed for a death says whether there was one: `alive_on`, a day
    after it on which the person was known to live, lets it fall in every program; `not_about_death` gives up this stop
    alone, for another reason.

    Of a term, or a job, while months of the benefit wait to be paid back, he says whether there was one: `passed_on`,
    the day on which it ended, so that its months are not paid; or `never_so`. Other terms stay to be answered by
    themselves. Both are refused (422), as `alive_on` is, where the objection is dismissed, or against no such stop.
    """

    upheld: Truth
    answer: Words
    alive_on: Day | None = None
    not_about_death: Truth = False
    passed_on: Day | None = None
    never_so: Truth = False


class ObjectionOut(Out):
    """An objection as officers see it."""

    objection_id: UUID
    subject: UUID
    program: str
    decision_id: UUID | None
    about: ObjectionAbout
    said: str
    stage: ObjectionStage
    reviews: UUID | None
    state: ObjectionState
    received_at: AwareDatetime
    due_on: date
    answered_by: str | None
    answered_at: AwareDatetime | None
    answer: str | None


class ObjectionsOut(Out):
    """Objections waiting for an answer, the most urgent first."""

    items: list[ObjectionOut]


class PersonIn(In):
    """Whose history: a subject as lists name it, or a citizen id."""

    subject: UUID | None = None
    citizen_id: CitizenId | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.subject is None) == (self.citizen_id is None):
            msg = "give either subject or citizen_id"
            raise ValueError(msg)
        return self


class HistoryOut(Out):
    """Everything that was done about one person, each list oldest first; `looks` for auditors only, newest first."""

    subject: UUID
    enrolments: list[dict[str, Any]]
    certificates: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    proposals: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    arrears: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    overpayments: list[dict[str, Any]]
    objections: list[dict[str, Any]]
    second_places: list[dict[str, Any]]
    looks: list[dict[str, Any]] | None
