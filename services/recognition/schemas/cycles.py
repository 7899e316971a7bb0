"""Shapes of certification cycles and of grace."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.recognition.domain.cycles import CertificationState, GraceReason
from services.recognition.schemas.common import Day, In, Out, Words
from services.recognition.schemas.partner import CitizenId, ProgramCode


class CycleIn(In):
    """Whose cycle, in which program."""

    program: ProgramCode
    citizen_id: CitizenId


class CycleOut(Out):
    """Where a person stands in the certification cycle of a program; being late is never a stop by itself."""

    program: str
    state: CertificationState
    certified_until: Annotated[date | None, Field(description="last certified day")]
    until: Annotated[date | None, Field(description="the same, or the day the owner wants a certification by if later")]
    run_on: Annotated[date | None, Field(description="day of the run that first looked in vain")]
    task_due_on: Annotated[date | None, Field(description="day by which a grid member is to have knocked")]
    grace_until: Annotated[date | None, Field(description="until then lateness stops nobody: the platform was late")]


class PersonCycleOut(CycleOut):
    """The same for a partner that asked."""

    person: Annotated[UUID, Field(description="pseudonym of the person for this client alone")]
    checked_at: AwareDatetime


class SubjectCycleOut(CycleOut):
    """The same for an officer."""

    subject: UUID


class StatesOut(Out):
    """How many people of a program are in each state today."""

    program: str
    on: date
    people: dict[CertificationState, int]


class SubjectCyclesOut(Out):
    """People of a program in one state; `next` continues after the last one."""

    items: list[SubjectCycleOut]
    next: UUID | None


class GraceIn(In):
    """A grace from today on; an officer names programs of his own, an operator may leave them out for all."""

    programs: Annotated[tuple[ProgramCode, ...], Field(max_length=50)] = ()
    subject: UUID | None = None
    until_on: Day
    reason: GraceReason
    said: Words


class GraceOut(Out):
    """Days in which lateness stops nobody; no program stands for all, no subject for everybody."""

    grace_id: UUID
    program: str | None
    subject: UUID | None
    from_on: date
    until_on: date
    reason: GraceReason
    said: str
    given_by: str
    given_at: AwareDatetime


class GracesOut(Out):
    """Graces, newest first; `next` continues after the last one."""

    items: list[GraceOut]
    next: UUID | None = None
