"""Shapes for operators: runs and figures."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.recognition.domain.states import RunState


class RunIn(BaseModel):
    """Nothing to say yet; an empty object."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunOut(BaseModel):
    """A certification run and how far it is."""

    run_id: UUID
    run_on: date
    state: RunState
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    shards_done: int
    shards: int
    due: int
    said: int


class FiguresOut(BaseModel):
    """The counts an operator asks first."""

    people: int
    enrolments: int
    certificates: int
    certified_people: dict[str, int]
    under_review: int
    due: int
    checks: int
    proposals_open: int
    payments_stopped: int
    recovered_fen: Annotated[int, Field(description="of what was paid after a stop: what came back or was set off")]
    revocations_unacknowledged: Annotated[
        int, Field(description="revocations a partner has left unanswered beyond the time to answer, or rejected")
    ]


class TokenOut(BaseModel):
    """An access token (RFC 6749, section 5.1)."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class OAuthErrorOut(BaseModel):
    """An error of RFC 6749, section 5.2."""

    error: str
    error_description: str
