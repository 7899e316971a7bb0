"""Cases and their steps."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.grid.domain.cases import CaseAction, CaseState, Finding
from services.grid.schemas.base import EventDay, In, Out, Reference, Text, Word, WorkerId
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind


class BasisIn(In):
    """A paper a step rests on."""

    kind: Word
    reference: Reference
    day: EventDay | None = Field(
        default=None,
        description="of which the paper tells, e.g. on which a hospital treated the person; "
        "one has to name it where papers alone clear somebody",
    )


class CaseIn(In):
    """What an officer has learned of a person, e.g. by phone or from another office."""

    subject: UUID
    kind: SuspicionKind
    event_on: EventDay | None = None
    basis: Annotated[tuple[BasisIn, ...], Field(max_length=10)] = ()
    note: Text | None = None


class FindingIn(In):
    """What the village found."""

    finding: Finding
    event_on: EventDay | None = None
    basis: Annotated[tuple[BasisIn, ...], Field(max_length=10)] = ()
    not_family: Literal[True] = Field(description="the finder states that he is not family of the person")
    note: Text | None = None


class CaseReviewIn(In):
    """Whether the town agrees with the finding."""

    verdict: Literal["agreed", "returned"]
    not_family: Literal[True] = Field(description="the reviewer states that he is not family of the person")
    note: Text | None = None


class ConclusionIn(In):
    """How the agency concludes."""

    conclusion: CaseConclusion
    event_on: EventDay | None = None
    basis: Annotated[tuple[BasisIn, ...], Field(max_length=10)] = ()
    not_family: Literal[True] = Field(description="who concludes states that he is not family of the person")
    note: Text | None = None


class RecusalIn(In):
    """Why somebody withdraws from a case."""

    worker_id: WorkerId | None = Field(default=None, description="who withdraws, where a back end says it for a member")
    note: Text | None = None


class CaseOut(Out):
    """One case."""

    case_id: UUID
    subject: UUID
    kind: SuspicionKind
    state: CaseState
    confidence: Confidence | None = Field(description="told to the county and the city only, as what it rests on")
    event_on: date | None = Field(description="as found; until then told to the county and the city only")
    rounds: int
    division: str | None
    grid_code: str | None
    worker_id: str | None
    deadline_on: date
    opened_at: AwareDatetime
    previous_case_id: UUID | None = Field(description="told to the county and the city only")
    conclusion: CaseConclusion | None
    concluded_at: AwareDatetime | None
    verified_by: str | None
    concluded_by: str | None


class CasesOut(Out):
    """A page of cases."""

    items: list[CaseOut]
    next_cursor: str | None


class BasisOut(Out):
    """What a step rests on."""

    kind: str
    reference: str
    day: date | None = Field(description="of which a paper tells, where it was named")


class StepOut(Out):
    """One step: who, when, on what."""

    action: CaseAction
    actor: str
    role: str
    happened_at: AwareDatetime
    outcome: str | None
    event_on: date | None
    basis: list[BasisOut]
    note: str | None = Field(description="told to the village, its leader and officers; the look is kept")


class CaseDetailOut(Out):
    """One case with its history."""

    case: CaseOut
    steps: list[StepOut]
