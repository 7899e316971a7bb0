"""Webhook endpoints: how they fare, their log, replay, and proving one anew; each partner sees his own."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Security, status

from services.notify.api.common import Wired
from services.notify.schemas import EndpointOut, EndpointsOut, PostOut, PostsOut, QueuedOut, ReplayRequest
from services.notify.usecases import hooks
from shared.kit.auth import Caller, allow
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["webhooks"], responses=PROBLEM_RESPONSES)

Partner = Annotated[Caller, Security(allow("notify.webhooks"))]
Place = Annotated[int | None, Query(ge=1, le=2**62, description="`next_before` of the page before")]


@router.get("/endpoints")
async def list_endpoints(wired: Wired, caller: Partner) -> EndpointsOut:
    """The caller's endpoints: proved or not, waiting and failed events; an operator sees everybody's."""
    async with wired.database.read() as tx:
        found = await hooks.list_endpoints(tx, caller)
    items = [
        EndpointOut(
            subscription_id=row.endpoint.subscription_id,
            client_id=row.endpoint.client_id,
            url=row.endpoint.url,
            kinds=list(row.endpoint.kinds),
            programs=list(row.endpoint.programs),
            status=row.endpoint.status,
            reason=row.endpoint.reason,
            failures=row.endpoint.failures,
            waiting=row.waiting,
            failed=row.failed,
            changed_at=row.changed_at,
            succeeded_at=row.succeeded_at,
        )
        for row in found
    ]
    return EndpointsOut(items=items)


@router.get("/endpoints/{subscription_id}/posts")
async def list_posts(
    wired: Wired,
    caller: Partner,
    subscription_id: UUID,
    state: Annotated[Literal["queued", "sending", "delivered", "failed"] | None, Query(alias="status")] = None,
    before: Place = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PostsOut:
    """The log of an endpoint, newest event first: tries, answers, what comes next."""
    async with wired.database.read() as tx:
        rows = await hooks.list_posts(tx, caller, subscription_id, before=before, status=state, limit=limit + 1)
    more = len(rows) > limit
    return PostsOut(
        items=[PostOut.model_validate(row, from_attributes=True) for row in rows[:limit]],
        next_before=rows[limit - 1].seq if more else None,
    )


@router.post("/endpoints/{subscription_id}:replay", status_code=status.HTTP_202_ACCEPTED)
async def replay(wired: Wired, caller: Partner, subscription_id: UUID, body: ReplayRequest) -> QueuedOut:
    """Post events again under their own ids, by id or from an instant on; a receiver knows doubles by `webhook-id`."""
    async with wired.database.write() as tx:
        count = await hooks.replay(tx, wired, caller, subscription_id, event_ids=body.event_ids, since=body.since)
    return QueuedOut(queued=count)


@router.post("/endpoints/{subscription_id}:resume", status_code=status.HTTP_202_ACCEPTED)
async def resume(wired: Wired, caller: Partner, subscription_id: UUID) -> QueuedOut:
    """Challenge a paused or disabled endpoint anew; once it answers it hears all that waited."""
    async with wired.database.write() as tx:
        return QueuedOut(queued=await hooks.resume(tx, wired, caller, subscription_id))
