"""Requests to stop a benefit, and tips."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from services.grid.domain.claims import StopState, TipState, Told
from services.grid.schemas.base import EventDay, In, Out, Text
from shared.contracts.vocabulary import SuspicionKind

ClaimCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]{20}$")]


class VerificationIn(In):
    """What the village found about a request to stop."""

    as_stated: bool
    event_on: EventDay | None = Field(None, description="has to be known where it tells of one of `tells_of`")
    tells_of: Told | None = Field(None, description="what the asker's own words tell of, where they tell of any of it")
    not_family: Literal[True] = Field(description="the verifier states that he is not family of the person")


class StopConclusionIn(In):
    """How the agency concludes a request to stop."""

    confirmed: bool


class StopRequestOut(Out):
    """One request to stop."""

    request_id: UUID
    subject: UUID
    programs: list[str]
    relation: str
    reason: str
    tells_of: Told | None = Field(description="by its code, or as the village read its words; None: of none of these")
    event_on: date | None
    requested_at: AwareDatetime
    state: StopState
    division: str | None
    deadline_on: date
    matched: bool = Field(description="a register says the same")
    as_stated: bool | None
    verified_by: str | None
    confirmed: bool | None
    concluded_by: str | None
    withdrawn_at: AwareDatetime | None = Field(description="when the person took it back")


class StopRequestsOut(Out):
    """A page of requests."""

    items: list[StopRequestOut]
    next_cursor: str | None


class TipIn(In):
    """What somebody reports; without name and phone he stays anonymous."""

    report_id: UUID = Field(description="made by the sender at random, so that sending twice is one tip")
    subject: UUID
    kind: SuspicionKind
    text: Text
    name: Text | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^[0-9+\-]{5,20}$")] | None = None


class TipReceiptOut(Out):
    """What the reporter keeps; the code opens nothing but his own tip, and only sending again shows it again."""

    claim_code: str
    told_by: date = Field(description="by when he hears whether it was accepted")


class TipStatusIn(In):
    """The reporter's code."""

    claim_code: ClaimCode


class TipClaimIn(TipStatusIn):
    """Where the reward goes; never cash."""

    account: Text


class TipStatusOut(Out):
    """Where the reporter's tip stands."""

    state: TipState
    reward_fen: int | None
    claim_until: date | None


class ScreeningIn(In):
    """Whether a tip is worth a case."""

    accepted: bool


class TipOut(Out):
    """One tip, without who reported."""

    tip_id: UUID
    subject: UUID
    kind: SuspicionKind
    state: TipState
    named: bool
    received_at: AwareDatetime
    screen_by: date
    tell_by: date
    screened_by: str | None
    told_at: AwareDatetime | None
    case_id: UUID | None
    recovered_fen: int
    reward_fen: int | None
    approved_by: str | None
    claim_until: date | None
    paid_by: str | None


class TipsOut(Out):
    """A page of tips."""

    items: list[TipOut]
    next_cursor: str | None


class ReporterOut(Out):
    """Who reported what."""

    text: str
    name: str | None
    phone: str | None
    account: str | None
