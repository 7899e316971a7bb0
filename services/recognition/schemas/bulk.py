"""Shapes of jobs and pay lists."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.recognition.domain.states import JobKind, PayrunState, ResultFormat, RunState
from services.recognition.schemas.common import Whole
from services.recognition.schemas.partner import Sandbox

Lines = Annotated[list[Annotated[Whole, Field(ge=1, le=2**40)]], Field(max_length=100_000)]


class ResultOut(BaseModel):
    """Where the result file is, and what it must be."""

    href: str
    format: ResultFormat
    bytes: int
    digest: Annotated[str, Field(description="as in Repr-Digest (RFC 9530)")]


class JobOut(BaseModel):
    """A job and how far it is; `counts` is by answer, for a pay list by advice and by reason."""

    job_id: UUID
    kind: JobKind
    program: str
    state: RunState
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    people: Annotated[int | None, Field(description="of the list; of a whole program known at the end")]
    done: int
    counts: dict[str, int]
    result: ResultOut | None
    sandbox: Sandbox = False


class JobsOut(BaseModel):
    """Jobs of the client, newest first; `next` continues after the last one."""

    items: list[JobOut]
    next: UUID | None


class PayrunOut(BaseModel):
    """A pay list: what was advised and, once confirmed, what was paid.

    `state`: checking, advised, recording, confirmed, lapsed. `counts` holds lines by advice (`pay`, `hold:<reason>`,
    `stop`) and sums (`pay_fen`, `hold_fen`, `stop_fen`).
    """

    model_config = ConfigDict(from_attributes=True)

    payrun_id: UUID
    program: str
    month: date
    state: PayrunState
    requested_at: AwareDatetime
    expires_at: AwareDatetime | None
    lines: int | None
    done: int
    total_fen: int
    counts: dict[str, int]
    paid_on: date | None
    paid_lines: int
    paid_fen: int
    result: ResultOut | None
    sandbox: Sandbox = False


class PaidIn(BaseModel):
    """What was paid: every line advised `pay`, but for those in `not_paid`, and those in `also_paid`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paid_on: date
    not_paid: Lines = []
    also_paid: Lines = []

    def sorted(self) -> Self:
        """The same with its lines in order, so that order makes no difference."""
        return self.model_copy(update={"not_paid": sorted(self.not_paid), "also_paid": sorted(self.also_paid)})
