"""Shapes of the officer's API."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import Effect, EndingEvent, SuspensionReason
from services.recognition.domain.states import DecisionState, ProposalState
from services.recognition.schemas.common import Day, Truth, Words
from services.recognition.schemas.partner import ProgramCode
from services.recognition.schemas.work import PersonIn

Grounds = Annotated[
    str, Field(min_length=4, max_length=2000, pattern=r"^[^\x00]+$", description="why, in the officer's words")
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OwnProposalIn(PersonIn):
    """What an officer has learnt himself: it is proposed, for him or another to decide and for another to confirm.

    `ground` is what he knows and from where; officers of the program read it, and nobody else.
    """

    program: ProgramCode
    reason: EndingEvent
    event_on: Day
    ground: Words


class DecideIn(_In):
    """What one officer decides; without `stops_from` the program's rule says when.

    `reason` is another event of the program's rule than the one proposed, where people found something: a death that
    leaves no household ends what it would else reduce.
    """

    grounds: Grounds
    stops_from: Day | None = None
    reason: EndingEvent | None = None


class AliveIn(_In):
    """What is said of the death where a stop for one is given up: `alive_on`, a day after it on which the person lived.

    Or `not_about_death`: it is given up for something else, whether or not he died, and other benefits are stopped for
    it all the same. One of both is asked for, unless people have found by then that he lives.

    Of a term, or a job, while months of the benefit wait to be paid back, he says whether there was one: `passed_on`,
    the day on which it ended, so that its months are not paid; or `never_so`. Other terms stay to be answered by
    themselves.
    """

    alive_on: Day | None = None
    not_about_death: Truth = False
    passed_on: Day | None = None
    never_so: Truth = False


class RejectIn(AliveIn):
    """Why an officer finds nothing to stop, in his words; it stays with the proposal and his name."""

    grounds: Grounds | None = None


class LiftIn(_In):
    """Why a stop ends."""

    reason: SuspensionReason
    passed_on: Day
    requested_on: Day | None = None


class ProposalOut(BaseModel):
    """A proposal. `subject` is the person's pseudonym; who he is only ingest tells, to those who may ask.

    `ground` is what the officer who opened it knows, where one did; answers to a POST have a code in its place.
    """

    model_config = ConfigDict(from_attributes=True)

    proposal_id: UUID
    subject: UUID
    program: str
    case_id: UUID | None
    origin: ProposalOrigin
    reason: EndingEvent
    effect: Effect
    event_on: date | None
    stops_from: date | None
    state: ProposalState
    opened_at: AwareDatetime
    grounds: str | None
    decided_by: str | None
    decided_at: AwareDatetime | None
    opened_by: str | None = None
    ground: str | None = None
    rejected_by: str | None = None
    rejected_for: str | None = None


class ProposalsOut(BaseModel):
    """Proposals, oldest first; `next` continues after the last one."""

    items: list[ProposalOut]
    next: UUID | None


class DecisionOut(BaseModel):
    """A decision two people stand behind."""

    model_config = ConfigDict(from_attributes=True)

    decision_id: UUID
    proposal_id: UUID
    subject: UUID
    program: str
    reason: EndingEvent
    effect: Effect
    event_on: date | None
    stops_from: date
    grounds: str
    decided_by: str
    decided_at: AwareDatetime
    confirmed_by: str
    confirmed_at: AwareDatetime
    state: DecisionState
    notice_until: date


class LiftedOut(BaseModel):
    """A lifted stop and what it pays back: `arrears_fen`, of months from `owed_from` to before `paid_again_from`.

    `withheld_fen` is what it pays back besides as soon as officers have given up what else people have found and would
    stop the benefit. `also` names decisions on other benefits that fell with a false death.
    """

    decision: DecisionOut
    owed_from: date
    paid_again_from: date
    arrears_fen: int
    withheld_fen: int
    also: list[UUID]
