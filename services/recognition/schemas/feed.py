"""Shapes of the feed, receipts, subscriptions and corrections."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.recognition.domain.feed import EventKind, HandoverState, Outcome
from services.recognition.schemas.common import Truth
from services.recognition.schemas.partner import CitizenId, ProgramCode, Sandbox
from shared.contracts.vocabulary import CorrectionStatus, SubscriptionStatus

Cursor = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_=-]+$")]
Said = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]
Url = Annotated[str, Field(min_length=10, max_length=500, pattern=r"^https?://[!-~]+$")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EventOut(BaseModel):
    """Something that happened to a person in a program; thin: what it is about is fetched with its reference."""

    event_id: UUID
    kind: EventKind
    program: str
    person: Annotated[UUID, Field(description="pseudonym of the person for this client alone")]
    version: Annotated[int, Field(description="grows with every event; a lower one of the same person is older")]
    occurred_at: AwareDatetime
    certificate: Annotated[str | None, Field(description="for GET /v1/certificates/{reference}")]
    decision: UUID | None
    correction: UUID | None
    reason: str | None
    repeats: Annotated[UUID | None, Field(description="event it tells again, because nobody answered")]


class EventsOut(BaseModel):
    """Events in the order they were recorded; `next` goes into `after`, and into events:ack once they are stored."""

    items: list[EventOut]
    next: Cursor


class AckIn(_In):
    """Everything up to a cursor has been stored."""

    cursor: Cursor


class AckOut(BaseModel):
    """How many events nobody has to run after any more."""

    acknowledged: int


class ReceiptIn(_In):
    """What became of an event in the program's own system."""

    event_id: UUID
    outcome: Outcome
    reason: Said | None = None

    @model_validator(mode="after")
    def _rejected_says_why(self) -> "ReceiptIn":
        if self.outcome is Outcome.REJECTED and self.reason is None:
            msg = "a rejection says why"
            raise ValueError(msg)
        return self


class ReceiptsIn(_In):
    """Receipts of many events."""

    items: Annotated[list[ReceiptIn], Field(min_length=1, max_length=1000)]


class ReceiptOut(BaseModel):
    """Whether a receipt was taken; an event of another's program is not known."""

    event_id: UUID
    known: bool


class ReceiptsOut(BaseModel):
    """In the order of the items."""

    items: list[ReceiptOut]


class UndeliveredOut(BaseModel):
    """An event a partner has rejected or never answered."""

    model_config = ConfigDict(from_attributes=True)

    event_id: UUID
    client_id: str
    program: str
    kind: EventKind
    subject: UUID
    state: HandoverState
    tries: int
    told_at: AwareDatetime
    reason: str | None


class UndeliveredsOut(BaseModel):
    """Oldest first; `next` continues after the last one."""

    items: list[UndeliveredOut]
    next: UUID | None


class SubscribeIn(_In):
    """Where to post, and what; no kinds or programs stand for all."""

    url: Url
    kinds: Annotated[list[EventKind], Field(max_length=len(EventKind))] = []
    programs: Annotated[list[ProgramCode], Field(max_length=100)] = []


class ChangeIn(_In):
    """What to change; what is left out stays. `active` asks a paused or disabled endpoint to prove itself again."""

    url: Url | None = None
    kinds: Annotated[list[EventKind], Field(max_length=len(EventKind))] | None = None
    programs: Annotated[list[ProgramCode], Field(max_length=100)] | None = None
    status: SubscriptionStatus | None = None
    rotate_secret: Truth = False

    @model_validator(mode="after")
    def _one_of_two(self) -> "ChangeIn":
        if self.status not in {None, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED}:
            msg = "status can be asked to be active or paused"
            raise ValueError(msg)
        return self


class SubscriptionOut(BaseModel):
    """A subscription; its secret is shown once, when it is made."""

    model_config = ConfigDict(from_attributes=True)

    subscription_id: UUID
    url: str
    kinds: list[EventKind]
    programs: list[str]
    status: SubscriptionStatus
    reason: str
    version: int
    created_at: AwareDatetime
    changed_at: AwareDatetime


class SubscriptionMadeOut(SubscriptionOut):
    """A subscription with the secret its posts are signed with (Standard Webhooks); null where it was not made now."""

    secret: str | None


class SubscriptionsOut(BaseModel):
    """Subscriptions of the client."""

    items: list[SubscriptionOut]


class CorrectionIn(_In):
    """Which person's record is wrong, and why."""

    program: ProgramCode
    citizen_id: CitizenId
    reason: Said


class CorrectionOut(BaseModel):
    """A correction that was asked for, and what the department that delivered the record says."""

    model_config = ConfigDict(from_attributes=True)

    correction_id: UUID
    program: str
    reason: str
    status: CorrectionStatus
    answer: str | None
    due_on: date | None
    requested_at: AwareDatetime
    changed_at: AwareDatetime


class CertificateOut(BaseModel):
    """A certificate as one client sees it: never a source, a place, an illness."""

    certificate: str
    person: UUID
    claim: str
    as_of: date
    evidence_class: str
    issued_on: date
    revoked_at: AwareDatetime | None
    reason: str | None
    successor: str | None
    checked_at: AwareDatetime
    sandbox: Sandbox = False
