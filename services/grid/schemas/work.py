"""Worklists, tasks and visits."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, PlainValidator, ValidationError

from services.grid.domain.tasks import Rung, TaskState
from services.grid.domain.visits import Informant, VisitStatus
from services.grid.schemas.base import In, Out, Text, Word, WorkerId
from shared.contracts.vocabulary import TaskReason, VisitResult

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class FormIn(In):
    """The short form of five."""

    seen: bool
    talked: bool
    explained: bool
    registered: bool
    problems: bool


class PlaceIn(In):
    """Where the phone was, rounded to about a hundred metres."""

    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-90, le=90)]


class VisitReportIn(In):
    """One report from one door. `visit_id` is made by the phone: sending twice is one visit."""

    visit_id: UUID
    task_id: UUID
    worker_id: WorkerId | None = Field(default=None, description="who was there; a member's own token says it already")
    result: VisitResult
    visited_at: Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)]
    form: FormIn
    id_card_read: bool = False
    family: bool = Field(default=False, description="the member is family of the person: somebody else looks at it")
    event_on: date | None = Field(
        default=None, description="day of the death, the admission or the move, where the result tells of one"
    )
    informant: Informant | None = None
    proofs: Annotated[tuple[Word, ...], Field(max_length=10)] = ()
    prompt_id: Annotated[int, Field(ge=0, le=9999)] | None = Field(
        default=None, description="of the prompt that was shown; a sighting without one waits for the leader"
    )
    prompt_answered: bool = False
    place: PlaceIn | None = Field(
        default=None, description="where the member stood; who was seen at his door without one waits for the leader"
    )
    photo: bool = Field(default=False, description="a photo follows at /v1/visits/{visit_id}/photo; then it counts")
    helper: Text | None = Field(default=None, description="name or phone of who helped; only a keyed hash is kept")
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A report that is none: its id where that can be read, and which of its fields cannot."""

    visit_id: UUID | None
    reasons: tuple[str, ...]


def _or_unreadable(given: object) -> VisitReportIn | Unreadable:
    """Judge a report by itself: one mistake on a phone does not hold back what else it has collected."""
    try:
        return VisitReportIn.model_validate(given)
    except ValidationError as error:
        # Never what was sent: a field nobody knows may be named after a person.
        fields = {str(each["loc"][0]) if each["loc"] else "" for each in error.errors(include_input=False)}
        known = fields & VisitReportIn.model_fields.keys()
        reasons = sorted(f"{field}_unreadable" for field in known) + ["unreadable"] * bool(fields - known)
        said = given.get("visit_id") if isinstance(given, dict) else None
        return Unreadable(visit_id=_uuid(said), reasons=tuple(reasons))


def _uuid(said: object) -> UUID | None:
    try:
        return UUID(str(said))
    except ValueError:
        return None


class VisitReportsIn(In):
    """What a phone collected while it was offline: each report is judged by itself."""

    visits: Annotated[
        tuple[
            # Any, or what is never sent would stand in the document of the API.
            Annotated[Any, PlainValidator(_or_unreadable, json_schema_input_type=VisitReportIn)],
            ...,
        ],
        Field(min_length=1, max_length=500),
    ]


class ReceiptOut(Out):
    """What became of one report."""

    visit_id: UUID | None = Field(description="null where the report's own could not be read")
    reception: Literal["recorded", "repeated", "refused"]
    reasons: list[str]
    notes: list[str]
    task_state: TaskState | None


class SyncOut(Out):
    """One receipt a report, in their order."""

    items: list[ReceiptOut]


class TaskOut(Out):
    """One task."""

    task_id: UUID
    subject: UUID
    reason: TaskReason
    state: TaskState
    rung: Rung
    due_on: date | None
    deadline_on: date
    priority: int
    division: str | None
    grid_code: str | None
    worker_id: str | None
    programs: int
    about: list[str]
    created_at: AwareDatetime
    closed_at: AwareDatetime | None
    outcome: str | None
    closed_by: str | None = Field(description="the person who documented the end, where one did")
    visit_reasons: list[str] = Field(
        description="why the visit comes before others, the gravest first, as scoring says; empty for all but "
        "officers: neighbours would read who has been in hospital"
    )


class TasksOut(Out):
    """A page of tasks."""

    items: list[TaskOut]
    next_cursor: str | None


class PromptOut(Out):
    """What the person does for the camera."""

    prompt_id: int
    text: str


class LineTaskOut(Out):
    """Why to knock."""

    task_id: UUID
    reason: TaskReason
    state: TaskState
    about: list[str] = Field(description="what exactly, for the member to read; benefits he seems to be owed")
    worker_id: str | None = Field(description="in whose hands; a back end names him when it reports")
    due_on: date | None
    deadline_on: date
    prompt: PromptOut = Field(description="for a photo or video of this visit")


class VisitReviewIn(In):
    """The leader's word on a report."""

    verdict: Literal["accepted", "returned"]


class VisitOut(Out):
    """A report: one that waits for its leader, what he said, or the problems it collected."""

    visit_id: UUID
    task_id: UUID
    subject: UUID
    worker_id: str
    result: VisitResult
    visited_at: AwareDatetime
    status: VisitStatus
    flags: list[str]
    form: FormIn
    id_card_read: bool
    prompt_answered: bool
    event_on: date | None
    informant: Informant | None
    proofs: list[str] = Field(description="kinds of paper seen")
    note: str | None = Field(description="what the member wrote, told by `GET /v1/visits` only; the look is kept")


class OddMemberOut(Out):
    """A member whose last month of reports looks odd; it accuses nobody, somebody else knocks again."""

    division: str
    worker_id: str
    sightings: int
    reasons: list[Literal["one_minute", "one_place", "one_helper"]]


class OddMembersOut(Out):
    """Members whose reports look odd."""

    items: list[OddMemberOut]


class VisitsOut(Out):
    """Reports."""

    items: list[VisitOut]


class LineOut(Out):
    """One person to visit; all reasons in one knock."""

    subject: UUID
    grid_code: str | None
    priority: int
    plan_on: date | None = Field(
        description="working day on which the visit fits the member's load; null while it lies in somebody else's hands"
    )
    name: str | None
    phone: str | None
    family_phone: str | None
    tasks: list[LineTaskOut]


class WorklistOut(Out):
    """What a member has to do, most urgent first; with `since`, what changed."""

    as_of: AwareDatetime = Field(description="send it back as `since`")
    names: Literal["included", "unavailable", "not_asked"] = Field(
        description="unavailable: ask again later, the work goes on; not_asked: name a member or a grid to see them"
    )
    items: list[LineOut]
    next_cursor: str | None = Field(description="more people to visit, with the same question")
    gone: list[UUID] = Field(description="tasks that are closed now, to be taken off the phone")
    open_tasks: list[UUID] = Field(
        description="all that is the caller's now; what else the phone has went to somebody else, to be taken off too"
    )
