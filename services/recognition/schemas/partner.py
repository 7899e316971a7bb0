"""Shapes of the partner API: a contract with departments outside."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, Strict

from services.recognition.domain.answers import EvidenceClass
from services.recognition.domain.programs import (
    ArrearsRule,
    Effect,
    EndingEvent,
    Family,
    Rhythm,
    StopTiming,
    SuspensionReason,
    Unit,
)
from shared.contracts.vocabulary import Answer, Claim

# No control characters: PostgreSQL refuses NUL, and no id or name holds another one.
CitizenId = Annotated[
    str,
    Field(
        min_length=15,
        max_length=40,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="citizen id, 18 or 15 digits; spaces, full-width digits and x are understood",
        examples=["00000019500101001X"],
    ),
]
PersonName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
ProgramCode = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[a-z][a-z0-9_]{1,39}$",
        description="code of a program",
        examples=["sandbox_pension"],
    ),
]
MaxAge = Annotated[int, Field(ge=1, le=3660, description="longest age of the evidence in days")]


Sandbox = Annotated[bool, Field(description="true: about a synthetic person of a sandbox; left out otherwise")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuestionIn(_In):
    """One question. `name` is accepted from callers that have it; this service holds no names to compare it with."""

    program: ProgramCode
    citizen_id: CitizenId
    name: PersonName | None = None
    max_age_days: Annotated[MaxAge, Strict()] | None = None


_ItemText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class BatchItemIn(_In):
    """One person of a batch."""

    citizen_id: _ItemText
    name: _ItemText | None = None


class BatchIn(_In):
    """Many questions of one program."""

    program: ProgramCode
    items: Annotated[list[BatchItemIn], Field(min_length=1, max_length=10_000)]
    max_age_days: Annotated[MaxAge, Strict()] | None = None


class ClaimOut(BaseModel):
    """A claim a certificate fills."""

    claim: Claim
    as_of: date
    valid_until: date


class OutstandingOut(BaseModel):
    """A claim that is not filled: `with` is who has to look, `hint` what makes it likely without certifying it."""

    model_config = ConfigDict(populate_by_name=True)

    claim: Claim
    with_: Annotated[str, Field(alias="with")]
    hint: str | None


class RecognitionOut(BaseModel):
    """What a program hears. `unknown` means no enrolment is known; it never says anything about a death."""

    person: Annotated[UUID, Field(description="pseudonym of the person for this client alone")]
    program: str
    answer: Answer
    claims: list[ClaimOut]
    outstanding_claims: list[OutstandingOut]
    valid_until: date | None
    certificate: Annotated[str | None, Field(description="reference of the certificate, for this client alone")]
    evidence_class: EvidenceClass | None
    checked_at: AwareDatetime
    sandbox: Sandbox = False


class ItemProblemOut(BaseModel):
    """Why an item has no answer."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class BatchItemProblemOut(BaseModel):
    """An item without an answer."""

    problem: ItemProblemOut


class BatchOut(BaseModel):
    """Answers and problems in the order of the items."""

    items: list[RecognitionOut | BatchItemProblemOut]


class ProgramOut(BaseModel):
    """A program under the rule in force today; `stops` names events whose stop counts from another month."""

    code: str
    label: str
    owner: str
    family: Family
    unit: Unit
    paid: Rhythm
    told: list[str]
    excludes: list[str]
    reference: str
    sandbox: bool
    in_force_from: date
    cycle_months: int
    warning_days: int
    claims: list[Claim]
    outstanding_claims: list[Claim]
    stop: StopTiming
    stops: dict[EndingEvent, StopTiming]
    refund_days: int
    events: dict[EndingEvent, Effect]
    arrears: dict[SuspensionReason, ArrearsRule]


class ProgramsOut(BaseModel):
    """Programs, by code."""

    items: list[ProgramOut]
