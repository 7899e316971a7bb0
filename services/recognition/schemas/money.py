"""Shapes of overpayments and their recovery, for officers."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from services.recognition.domain.overpayments import (
    OffsetAgainst,
    OverpaymentState,
    RecoveryKind,
    RecoveryState,
    ReferredTo,
)
from services.recognition.schemas.common import Day, Fen, In, Out, Reference, Whole


class RecoveryIn(In):
    """Money that came back, is to be set off, or is to be given up; the latter two wait for another officer."""

    kind: RecoveryKind
    amount_fen: Fen
    happened_on: Day
    reference: Reference
    against: OffsetAgainst | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.kind is RecoveryKind.OFFSET) != (self.against is not None):
            msg = "against: say it for an offset, and for nothing else"
            raise ValueError(msg)
        return self


class PlanIn(In):
    """Monthly parts."""

    parts: Annotated[Whole, Field(ge=1, le=120)]
    first_due_on: Day


class ReferIn(In):
    """Who goes on."""

    to: ReferredTo


class PaymentOut(Out):
    """A payment that was not due."""

    month: date
    payrun_id: UUID
    amount_fen: int
    paid_on: date


class RecoveryOut(Out):
    """What came back, or is proposed."""

    recovery_id: UUID
    kind: RecoveryKind
    state: RecoveryState
    amount_fen: int
    happened_on: date
    reference: str
    against: OffsetAgainst | None
    asked_by: str
    asked_at: AwareDatetime
    answered_by: str | None
    answered_at: AwareDatetime | None


class InstalmentOut(Out):
    """One part of a plan."""

    number: int
    due_on: date
    amount_fen: int


class OverpaymentOut(Out):
    """What was paid after a stop, and where it stands; `left_fen` is what is still owed."""

    overpayment_id: UUID
    subject: UUID
    program: str
    decision_id: UUID
    stops_from: date
    state: OverpaymentState
    due_fen: int
    paid_fen: int
    offset_fen: int
    written_off_fen: int
    left_fen: int
    opened_at: AwareDatetime
    refund_due_on: date | None
    referred_to: ReferredTo | None


class OverpaymentDetailOut(OverpaymentOut):
    """With the payments it consists of, what came back, and the plan; `late_fen` is what the plan is behind."""

    payments: list[PaymentOut]
    recoveries: list[RecoveryOut]
    plan: list[InstalmentOut]
    late_fen: int


class OverpaymentsOut(Out):
    """Overpayments, oldest first; `next` continues after the last one."""

    items: list[OverpaymentOut]
    next: UUID | None


class PlanOut(Out):
    """The plan in force."""

    items: list[InstalmentOut]
