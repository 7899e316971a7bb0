"""Shapes of the citizen's API, in plain Chinese; no official's name, no source, no place, no illness."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.recognition.domain.cycles import CertificationState
from services.recognition.domain.faces import FaceRefusal, FaceState
from services.recognition.domain.objections import ObjectionAbout, ObjectionStage, ObjectionState
from services.recognition.domain.sentences import Standing
from services.recognition.schemas.common import Day, In, Out, Truth, Words
from services.recognition.schemas.partner import CitizenId, ProgramCode


class BenefitOut(Out):
    """One benefit and where it stands."""

    program: str
    label: str
    owner: Annotated[str, Field(description="主管部门")]
    standing: Standing
    sentence: str
    valid_until: date | None
    as_of: Annotated[date | None, Field(description="month of the event, its first day")]
    channel: Annotated[str | None, Field(description="认证方式")]
    evidence: Annotated[list[str], Field(description="依据的类别")]
    stops_from: date | None
    answer_by: date | None
    cycle: Annotated[CertificationState | None, Field(description="资格认证进行到哪一步；已停发的没有")]
    grace_until: Annotated[date | None, Field(description="平台自身延误，此日前不会因逾期停发")]


class OweOut(Out):
    """What was paid too much."""

    program: str
    label: str
    due_fen: int
    left_fen: int
    refund_due_on: date | None


class StatusOut(Out):
    """Am I certified, until when, and what do I have to do."""

    summary: str
    certified: bool
    valid_until: Annotated[date | None, Field(description="earliest end over certified benefits")]
    benefits: list[BenefitOut]
    overpaid: list[OweOut]
    ways: Annotated[list[str], Field(description="可以任选的办理方式")]
    hotline: str


class LookOut(Out):
    """Somebody looked: which organisation, for what; never which official."""

    at: AwareDatetime
    organisation: str
    action: str
    program: str | None
    purpose: str
    refused: Annotated[bool, Field(description="the look was refused and saw nothing")]


class LooksOut(Out):
    """Looks, newest first; `before` continues after the last one."""

    items: list[LookOut]
    before: AwareDatetime | None


class ObjectIn(In):
    """What is wrong, in the person's own words."""

    program: ProgramCode
    about: ObjectionAbout
    said: Words


class ReviewIn(In):
    """Why the answer is not right."""

    said: Words


class MyObjectionOut(Out):
    """An objection as its author sees it; `due_on` is the day by which it is answered."""

    objection_id: UUID
    program: str
    about: ObjectionAbout
    said: str
    stage: ObjectionStage
    reviews: UUID | None
    state: ObjectionState
    received_at: AwareDatetime
    due_on: date
    answer: str | None
    answered_at: AwareDatetime | None


class MyObjectionsOut(Out):
    """One's objections, oldest first."""

    items: list[MyObjectionOut]


class VisitIn(In):
    """Why somebody is to come."""

    reason: Words


class Relation(StrEnum):
    """What the asker is to the relative."""

    SPOUSE = "spouse"
    CHILD = "child"
    PARENT = "parent"
    SIBLING = "sibling"
    GRANDCHILD = "grandchild"
    OTHER = "other"


class RelativeIn(In):
    """A relative who died or lost a benefit; nothing of him is told."""

    citizen_id: CitizenId
    relation: Relation


class StopIn(In):
    """Which benefits are to stop, and since what; without `programs` all of them. Of a relative nothing is told."""

    programs: Annotated[tuple[ProgramCode, ...], Field(max_length=50)] = ()
    reason: Words
    event_on: Day | None = None
    relative: RelativeIn | None = None


class RequestOut(Out):
    """A request was taken; `sentence` says what happens next."""

    request_id: UUID
    requested_at: AwareDatetime
    sentence: str


class MyRequestOut(Out):
    """A request and what came of it."""

    request_id: UUID
    kind: str
    programs: list[str]
    relation: str
    reason: str
    requested_at: AwareDatetime
    concluded_at: AwareDatetime | None
    confirmed: bool | None
    withdrawn_at: AwareDatetime | None


class MyRequestsOut(Out):
    """One's requests, newest first."""

    items: list[MyRequestOut]


class FaceIn(In):
    """How the session is held."""

    assisted: Annotated[Truth, Field(description="由家人协助")] = False


class AssertionIn(In):
    """What the provider signed."""

    assertion: Annotated[str, Field(min_length=20, max_length=8192, pattern=r"^[A-Za-z0-9._-]+$")]


class FaceSessionOut(Out):
    """A session; the face is one way of several, which `other_ways` names."""

    session_id: UUID
    nonce: str
    provider: str
    audience: str
    expires_at: AwareDatetime
    state: FaceState
    refused_for: FaceRefusal | None
    sentence: str
    other_ways: list[str]


class ProofIn(In):
    """The id number to stand masked on the proof; it must be the person's own."""

    citizen_id: CitizenId
