"""Who looked at whom: the auditor's route, and the person's own."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from services.grid.api.common import Auditor, Citizen, Parts
from services.grid.domain.looks import Seen
from services.grid.schemas.looks import LogOut, LooksOut
from services.grid.schemas.work import EARLIEST, LATEST
from services.grid.store.readings import Wanted
from services.grid.usecases import looking
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError

router = APIRouter(prefix="/v1", tags=["audit"], responses=PROBLEM_RESPONSES)

_Name = Annotated[str | None, Query(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
_Instant = Annotated[AwareDatetime | None, Query(ge=EARLIEST, lt=LATEST)]


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which rows."""

    client_id: _Name = None
    user: Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00]+$")] = None
    what: Seen | None = None
    subject: UUID | None = None
    since: _Instant = None
    until: _Instant = None
    after: Annotated[int, Query(ge=0, le=2**62)] = 0
    limit: Annotated[int, Query(ge=1, le=1000)] = 100


@router.get("/looks")
async def list_looks(deps: Parts, caller: Auditor, asked: Annotated[LogQuery, Depends()]) -> LogOut:
    """The log of looks, by caller, person, time and what was seen; that somebody read it is logged, too."""
    wanted = Wanted(
        client_id=asked.client_id,
        user=asked.user,
        what=asked.what,
        subject=asked.subject,
        since=asked.since,
        until=asked.until,
    )
    async with deps.database.write() as tx:
        items = await looking.read_log(tx, deps, caller, wanted, after=asked.after, limit=asked.limit)
    return LogOut.model_validate({"items": items, "next": items[-1]["seq"] if len(items) == asked.limit else None})


@router.get("/me/looks")
async def list_my_looks(
    deps: Parts, caller: Citizen, before: _Instant = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> LooksOut:
    """Who of village, grid and office looked at what is kept here about me; what programs saw, recognition tells."""
    try:
        subject = UUID(caller.user)
    except ValueError as error:
        detail = "The token names no citizen: sign an assertion with the claim `user` at the token endpoint."
        raise ForbiddenError(detail) from error
    async with deps.database.read() as tx:
        items, following = await looking.read_mine(tx, subject, before=before, limit=limit)
    return LooksOut.model_validate({"items": items, "before": following})
