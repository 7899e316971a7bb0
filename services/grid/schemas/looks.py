"""The log of looks, for auditors and for the person."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.grid.domain.looks import Seen
from services.grid.schemas.base import Out


class LoggedOut(Out):
    """One look at a person, or one refusal."""

    seq: int
    at: datetime
    client_id: str
    user: str
    role: str
    worker_id: str | None = Field(description="for whom a back end asked")
    what: Seen
    subject: UUID | None
    visit_id: UUID | None
    case_id: UUID | None
    request_id: UUID | None
    shown: bool


class LogOut(Out):
    """Rows of the log, oldest first; `next` continues after the last one."""

    items: list[LoggedOut]
    next: int | None


class LookOut(Out):
    """Somebody looked: what kind of people, at what, for what; never who."""

    at: datetime
    organisation: str
    action: str
    purpose: str
    refused: bool = Field(description="the look was refused and saw nothing")


class LooksOut(Out):
    """Looks, newest first; `before` continues after the last one."""

    items: list[LookOut]
    before: datetime | None
