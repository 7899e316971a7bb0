"""What grid says."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import pyarrow as pa
from pydantic import Field

from shared.contracts.events.base import SUBJECT, Fact, FactEvent, TableEvent
from shared.contracts.vocabulary import (
    CaseConclusion,
    CaseParty,
    LateMatter,
    SuspicionKind,
    TaskReason,
    TaskStage,
    VisitResult,
)


class VisitConcluded(Fact):
    """What a grid member found at the door, after review where the rule asks for one."""

    visit_id: UUID
    task_id: UUID
    subject: UUID
    result: VisitResult
    visited_on: date
    visited_at: datetime
    division: Annotated[str, Field(pattern=r"^\d{12}$")]
    worker_id: str
    id_card_read: bool
    revision: int = 0  # how often it had been withdrawn before
    event_on: date | None = None  # day of the death, the admission or the move, where the result tells of one


VISIT_CONCLUDED = FactEvent(
    name="grid.visit.concluded.v1", model=VisitConcluded, doc="A visit is over; what was found."
)


class VisitWithdrawn(Fact):
    """A visit that was concluded is in doubt since another report came in; concluded anew, it has the next revision."""

    visit_id: UUID
    subject: UUID
    result: VisitResult
    visited_on: date
    revision: int  # of the conclusion that does not stand, whichever of both is heard first
    withdrawn_at: datetime


VISIT_WITHDRAWN = FactEvent(
    name="grid.visit.withdrawn.v1", model=VisitWithdrawn, doc="A sighting does not count after all: its leader looks."
)


class CaseConcluded(Fact):
    """What people concluded about a suspicion."""

    case_id: UUID
    subject: UUID
    kind: SuspicionKind
    conclusion: CaseConclusion
    event_on: date | None
    concluded_at: datetime
    verified_by: str
    concluded_by: str
    evidence_ids: tuple[int, ...] = ()  # what the suspicion rested on; a false death is corrected at its source
    seen_on: date | None = None  # day of the sighting that refutes it; what happened later is a new matter


CASE_CONCLUDED = FactEvent(
    name="grid.case.concluded.v1", model=CaseConcluded, doc="People concluded a case; four eyes."
)


TASKS_OPENED = TableEvent(
    name="grid.tasks.opened.v1",
    doc="Somebody will knock: the tasks of people a certification run did not find.",
    columns={
        "subject": SUBJECT,
        "task_id": pa.binary(16),
        "deadline_on": pa.date32(),  # by which the grid member is to have been there
    },
    attributes={"run": "id of the certification run"},
)


class TaskOverdue(Fact):
    """A task was not done in time and goes one step up: member, leader, assistant, town."""

    task_id: UUID
    subject: UUID
    reason: TaskReason
    stage: TaskStage  # to whom it went
    division: str
    worker_id: str | None  # who had it
    deadline_on: date
    overdue_at: datetime


TASK_OVERDUE = FactEvent(name="grid.task.overdue.v1", model=TaskOverdue, doc="A task was late and went one step up.")


class CaseOverdue(Fact):
    """A case, a request, a tip or a task of an unknown place is not done in time; said once for each deadline."""

    case_id: UUID  # of the request, the tip or the task, where it is one
    subject: UUID
    kind: SuspicionKind | LateMatter
    waits_for: CaseParty
    division: str | None  # none: the city's office, since no village is known or may know
    deadline_on: date
    overdue_at: datetime


CASE_OVERDUE = FactEvent(
    name="grid.case.overdue.v1",
    model=CaseOverdue,
    doc="A case, or what else an office has to finish, has passed its deadline.",
)


class ConfirmedPerson(Fact):
    """One line of a village's list of confirmed changes."""

    subject: UUID
    kind: SuspicionKind
    case_id: UUID | None
    event_on: date | None


class ReportLocked(Fact):
    """A village's month is closed: signed by its head, checked by the town, taken by the county."""

    division: str
    month: str  # YYYY-MM
    zero: bool  # signed as without any change
    suspected: int
    confirmed: list[ConfirmedPerson]
    signed_by: str
    locked_at: datetime


REPORT_LOCKED = FactEvent(name="grid.report.locked.v1", model=ReportLocked, doc="A village's monthly report is final.")


class StopRequestConcluded(Fact):
    """Whether a request to stop a benefit is as it says; two people looked."""

    request_id: UUID
    subject: UUID
    programs: list[str]
    confirmed: bool
    relation: str
    reason: str  # the code of the request or of what the village read in its words, else in_own_words
    event_on: date | None
    verified_by: str
    concluded_by: str
    concluded_at: datetime


STOP_REQUEST_CONCLUDED = FactEvent(
    name="grid.stop_request.concluded.v1", model=StopRequestConcluded, doc="A request to stop was verified by people."
)


class WorkerDay(Fact):
    """One grid member's day."""

    worker_id: str
    tasks: int
    overdue: int
    due_soon: int = 0  # of what lies in his hands, deadline within the next days


class WorkdayPlanned(Fact):
    """What the grid members of a town have to do today."""

    division: str  # town, 9 digits
    day: date
    workers: list[WorkerDay]


WORKDAY_PLANNED = FactEvent(
    name="grid.workday.planned.v1",
    model=WorkdayPlanned,
    doc="The day of a town's grid members; said each working morning.",
)
