"""What a partner does with his endpoints: look, replay, resume."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.notify.domain.endpoints import Endpoint
from services.notify.store import endpoints, posts
from services.notify.usecases import webhooks
from services.notify.usecases.deps import Deps
from services.notify.usecases.rights import EVERYBODYS
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, NotFoundError

_NEWEST = 2**63 - 1


class EndpointNotHeldError(ConflictError):
    """An endpoint that is neither paused nor disabled."""

    code = "endpoint_not_held"
    title = "The endpoint is neither paused nor disabled"


async def list_endpoints(tx: ReadTx, caller: Caller) -> list[endpoints.EndpointRow]:
    """The caller's endpoints; an operator's are everybody's."""
    return await endpoints.list_of(tx, None if caller.role in EVERYBODYS else caller.client_id)


async def find_endpoint(tx: ReadTx, caller: Caller, subscription_id: UUID) -> Endpoint:
    """One endpoint of the caller's.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    found = await endpoints.find(tx, subscription_id)
    if found is None or (caller.role not in EVERYBODYS and found.client_id != caller.client_id):
        detail = "You have no such endpoint; GET /v1/endpoints lists yours."
        raise NotFoundError(detail)
    return found


async def list_posts(
    tx: ReadTx, caller: Caller, subscription_id: UUID, *, before: int | None, status: str | None, limit: int
) -> list[posts.PostRow]:
    """The log of an endpoint, newest event first."""
    found = await find_endpoint(tx, caller, subscription_id)
    return await posts.list_of(tx, found.subscription_id, before=before or _NEWEST, status=status, limit=limit)


async def replay(
    tx: WriteTx,
    deps: Deps,
    caller: Caller,
    subscription_id: UUID,
    *,
    event_ids: Sequence[UUID] | None,
    since: datetime | None,
) -> int:
    """Queue events again. Returns their number."""
    found = await find_endpoint(tx, caller, subscription_id)
    return await webhooks.replay(tx, deps, found, event_ids=event_ids, since=since)


async def resume(tx: WriteTx, deps: Deps, caller: Caller, subscription_id: UUID) -> int:
    """Prove a held endpoint anew. Returns the number of events that wait for it.

    Raises:
        EndpointNotHeldError: it is neither paused nor disabled.
    """
    found = await find_endpoint(tx, caller, subscription_id)
    if found.status not in {SubscriptionStatus.PAUSED, SubscriptionStatus.DISABLED}:
        raise EndpointNotHeldError
    await webhooks.resume(tx, deps, found)
    rows = await endpoints.list_of(tx, found.client_id)
    return sum(row.waiting for row in rows if row.endpoint.subscription_id == subscription_id)
