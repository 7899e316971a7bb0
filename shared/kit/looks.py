"""`GET /v1/looks` of a service that keeps who looked at whom: for auditors, a page at a time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request, Security
from pydantic import AwareDatetime, BaseModel

from shared.kit.app import LookLog, Platform
from shared.kit.auth import Caller, allow
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError

log = structlog.get_logger(__name__)


def whole_city(_request: object, caller: Caller) -> None:
    """Refuse, as `met` of a guard, a token that is for some divisions: who looked at whom is kept without places.

    Raises:
        ForbiddenError: the caller's token names divisions.
    """
    if caller.divisions:
        detail = "The token is for some divisions, and of looks no place is kept; ask an auditor of the whole city."
        raise ForbiddenError(detail)


Auditor = Annotated[Caller, Security(allow("audit.read", met=whole_city))]
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_Instant = Annotated[AwareDatetime | None, Query(ge=_EARLIEST, lt=_LATEST)]


class LookOut(BaseModel):
    """One look at a person: by whom, through which client, at what or what for."""

    seq: int
    at: AwareDatetime
    client_id: str
    user: str
    subject: UUID
    what: str


class LooksOut(BaseModel):
    """Looks, oldest first; `next` continues after the last one."""

    items: list[LookOut]
    next: int | None


@dataclass(frozen=True, slots=True)
class LookQuery:
    """Which looks."""

    client_id: Annotated[str | None, Query(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")] = None
    user: Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00]+$")] = None
    subject: UUID | None = None
    since: _Instant = None
    until: _Instant = None
    after: Annotated[int, Query(ge=0, le=2**62)] = 0
    limit: Annotated[int, Query(ge=1, le=1000)] = 100


def router_of(kept: LookLog) -> APIRouter:
    """The route over the table of one service."""
    router = APIRouter(prefix="/v1", tags=["audit"], responses=PROBLEM_RESPONSES)

    @router.get("/looks")
    async def list_looks(request: Request, caller: Auditor, asked: Annotated[LookQuery, Depends()]) -> LooksOut:
        """Who looked at whom, by caller, person and time; whoever asks about one person has looked at him, too."""
        base: Platform = request.app.state.platform
        async with base.database.write() as tx:
            rows = await tx.fetch(
                f"SELECT * FROM (SELECT {kept.columns} FROM look) l WHERE seq > $1 "  # noqa: S608  (a service's own)
                'AND ($2::text IS NULL OR client_id = $2) AND ($3::text IS NULL OR "user" = $3) '
                "AND ($4::uuid IS NULL OR subject = $4) AND ($5::timestamptz IS NULL OR at >= $5) "
                "AND ($6::timestamptz IS NULL OR at < $6) ORDER BY seq LIMIT $7",
                asked.after,
                asked.client_id,
                asked.user,
                asked.subject,
                asked.since,
                asked.until,
                asked.limit,
            )
            if asked.subject is not None:
                await tx.run(kept.note, base.clock.now(), caller.client_id, caller.user, asked.subject)
        log.info("looks_read", client_id=caller.client_id, rows=len(rows))
        items = [LookOut.model_validate(dict(row)) for row in rows]
        return LooksOut(items=items, next=items[-1].seq if len(items) == asked.limit else None)

    return router
