"""Routes every service has for its operator: how much is still under way, and parked messages."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Path, Query, Request, Security
from pydantic import AwareDatetime, BaseModel

from shared.kit import inbox
from shared.kit.app import Platform
from shared.kit.auth import Caller, allow
from shared.kit.clock import SHANGHAI, wall
from shared.kit.problems import PROBLEM_RESPONSES, NotFoundError

Operator = Annotated[Caller, Security(allow("operate"))]
Number = Annotated[int, Path(ge=1, le=2**62)]
After = Annotated[int, Query(ge=0, le=2**62, description="number of the last parked message seen")]
_PAGE = 100

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["operation"], responses=PROBLEM_RESPONSES)


class FlowOut(BaseModel):
    """What is still under way in this service; all zero means quiet.

    `working` is what background loops of this process still have to do, `undelivered` and `unacknowledged` are messages
    other services have said that this one has not handled.
    """

    outbox_pending: int
    undelivered: int
    unacknowledged: int
    working: int
    dead_letters: int


class TodayOut(BaseModel):
    """What this service has said since midnight, and since when the oldest of what it still has to say waits.

    `said` counts messages by event; a message of a table is up to 20,000 rows.
    """

    day: date
    said: dict[str, int]
    oldest_unsaid_at: AwareDatetime | None


class DeadLetterOut(BaseModel):
    """A parked message without its body: that may speak of people."""

    id: int
    consumer: str
    event_id: UUID
    subject: str
    reason: str
    parked_at: AwareDatetime


class DeadLettersOut(BaseModel):
    """Parked messages, oldest first; `next` is where to go on with `after`, absent at the end."""

    items: list[DeadLetterOut]
    next: int | None = None


class RedrivenOut(BaseModel):
    """What became of a redrive."""

    id: int
    redriven: bool


@router.get("/flow")
async def flow(request: Request, _caller: Operator) -> FlowOut:
    """How much is still under way."""
    base: Platform = request.app.state.platform
    # In the order in which work goes on, from consumer to sweep to outbox: in any other one it could go past between
    # two looks, and all would be zero in the middle of it.
    waiting = await base.consumers.pending() if base.consumers else (0, 0)
    working = await request.app.state.working()
    async with base.database.read() as tx:
        counts = await tx.fetch(
            "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS outbox,"
            " (SELECT count(*) FROM dead_letter WHERE redriven_at IS NULL) AS dead"
        )
    return FlowOut(
        outbox_pending=counts[0]["outbox"],
        undelivered=waiting[0],
        unacknowledged=waiting[1],
        working=working,
        dead_letters=counts[0]["dead"],
    )


@router.get("/today")
async def today(request: Request, _caller: Operator) -> TodayOut:
    """What has been said today in China, by the wall clock, and since when the oldest unsaid message waits."""
    base: Platform = request.app.state.platform
    midnight = datetime.fromtimestamp(wall(), SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    async with base.database.read() as tx:
        said = await tx.fetch(
            "SELECT headers->>'ce-type' AS event, count(*) AS messages FROM outbox WHERE created_at >= $1 "
            "GROUP BY 1 ORDER BY 1",
            midnight,
        )
        oldest = await tx.fetch("SELECT min(created_at) AS at FROM outbox WHERE published_at IS NULL")
    return TodayOut(
        day=midnight.date(),
        said={row["event"]: row["messages"] for row in said},
        oldest_unsaid_at=oldest[0]["at"],
    )


@router.get("/dead-letters")
async def list_parked(request: Request, _caller: Operator, after: After = 0) -> DeadLettersOut:
    """Parked messages, a hundred at a time."""
    base: Platform = request.app.state.platform
    async with base.database.read() as tx:
        letters = await inbox.list_dead_letters(tx, after=after, limit=_PAGE)
    return DeadLettersOut(
        items=[DeadLetterOut.model_validate(each, from_attributes=True) for each in letters],
        next=letters[-1].id if len(letters) == _PAGE else None,
    )


@router.post("/dead-letters/{dead_letter_id}:redrive")
async def redrive(request: Request, dead_letter_id: Number, _caller: Operator) -> RedrivenOut:
    """Handle one parked message again; the inbox keeps its effect single. One that is still bad stays, with a 409."""
    base: Platform = request.app.state.platform
    async with base.database.read() as tx:
        letter = await inbox.find_dead_letter(tx, dead_letter_id)
    if letter is None or base.consumers is None:
        detail = "No parked message has this number, or it was redriven already."
        raise NotFoundError(detail)
    return RedrivenOut(id=dead_letter_id, redriven=await base.consumers.redrive(letter))


@router.delete("/dead-letters/{dead_letter_id}", status_code=204)
async def discard(request: Request, dead_letter_id: Number, caller: Operator) -> None:
    """Throw one parked message away, for good: what no redrive can help."""
    base: Platform = request.app.state.platform
    async with base.database.write() as tx:
        letter = await inbox.find_dead_letter(tx, dead_letter_id)
        if letter is None:
            detail = "No parked message has this number, or it was redriven already."
            raise NotFoundError(detail)
        await inbox.discard(tx, dead_letter_id)
    log.warning("dead_letter_discarded", consumer=letter.consumer, event_id=str(letter.event_id), by=caller.client_id)
