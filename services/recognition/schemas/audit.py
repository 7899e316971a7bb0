"""Shapes of the auditor's API."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.recognition.domain.chain import Fault
from services.recognition.schemas.common import Whole


class HeadAsked(BaseModel):
    """A head of the chain as it was noted outside; the chain must still hold it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seal_no: Annotated[Whole, Field(ge=1, le=2**62)]
    chain: Annotated[str, Field(max_length=64, pattern=r"^[0-9a-f]{64}$")]


class ProofAsked(BaseModel):
    """Which seals to prove: behind `after`, so many; and the head that was noted outside, where there is one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[Whole, Field(ge=0, le=2**62)] = 0
    limit: Annotated[Whole, Field(ge=1, le=500)] = 100
    expect: HeadAsked | None = None


class FaultOut(BaseModel):
    """A row that was changed, removed or slipped in, or a seal that does not fit the one before."""

    model_config = ConfigDict(from_attributes=True)

    seal_no: int
    usage_id: int | None
    fault: Fault


class HeadOut(BaseModel):
    """The last seal that was proved: note it outside."""

    seal_no: int
    chain: str


class ProofOut(BaseModel):
    """What was found; `next` continues behind the last seal that was proved."""

    intact: bool
    seals: int
    rows: int
    unsealed: int
    head: HeadOut | None
    faults: list[FaultOut]
    next: int | None


class UsageOut(BaseModel):
    """One look at a person, or one refusal."""

    usage_id: int
    logged_at: AwareDatetime
    at: AwareDatetime
    client_id: str
    user_ref: str
    department: str | None
    action: str
    program: str | None
    subject: UUID | None
    purpose: str | None
    legal_basis: str | None
    case_ref: str | None
    answer: str
    request_id: str


class UsagesOut(BaseModel):
    """Rows of the usage log, oldest first; `next` continues after the last one."""

    items: list[UsageOut]
    next: int | None
