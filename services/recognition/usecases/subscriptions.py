"""Webhooks of partners: asked for here, sealed here, told by notify."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.store import feed
from services.recognition.store import subscriptions as store
from services.recognition.store.subscriptions import Subscription
from services.recognition.usecases.deps import Deps
from shared.contracts.events.notify import EndpointChanged
from shared.contracts.events.recognition import SUBSCRIPTION_CHANGED, SubscriptionChanged
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, MalformedError, NotFoundError, ProblemError

_SECRET_BYTES = 32
_MOST = 20


class PreconditionError(ProblemError):
    """Somebody else changed it in between."""

    status = 412
    code = "precondition_failed"
    title = "It has changed since you read it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a partner wants to hear, and where; None leaves it as it is."""

    url: str | None = None
    kinds: Sequence[str] | None = None
    programs: Sequence[str] | None = None
    status: SubscriptionStatus | None = None
    rotate_secret: bool = False


async def subscribe(deps: Deps, tx: WriteTx, caller: Caller, wish: Wish) -> tuple[Subscription, str]:
    """A new subscription and its secret, which is shown this once.

    Raises:
        MalformedError: the address is none to post to, or a program is not the client's.
        ConflictError: the client has as many as it may.
    """
    if len(await store.list_of(tx, caller.client_id)) >= _MOST:
        detail = f"A client has {_MOST} subscriptions at most; end one you do not need."
        raise ConflictError(detail)
    subscription_id, secret, now = uuids.uuid7(), _secret(), deps.clock.now()
    made = Subscription(
        subscription_id=UUID(int=subscription_id.int),
        client_id=caller.client_id,
        url=_checked(deps, wish.url or ""),
        kinds=list(wish.kinds or ()),
        programs=_allowed(caller, wish.programs),
        secret=deps.vault.seal(secret.encode(), subscription_id.bytes),
        status=SubscriptionStatus.PENDING,
        reason="asked",
        version=1,
        created_at=now,
        changed_at=now,
    )
    await feed.listen(tx, caller.client_id, sorted(caller.programs))
    await _keep(deps, tx, made)
    return made, secret


async def get(tx: ReadTx, subscription_id: UUID, caller: Caller) -> Subscription:
    """A subscription of the client.

    Raises:
        NotFoundError: none, ended, or another's.
    """
    found = await store.find(tx, subscription_id)
    if found is None or found.client_id != caller.client_id or found.status is SubscriptionStatus.ENDED:
        detail = "Your client has no subscription of this id."
        raise NotFoundError(detail)
    return found


async def change(
    deps: Deps, tx: WriteTx, subscription_id: UUID, caller: Caller, wish: Wish, version: int | None
) -> tuple[Subscription, str | None]:
    """Change a subscription; a new secret is shown this once, a moved endpoint has to prove itself again.

    Raises:
        PreconditionError: it is not at `version` any more.
    """
    now = await get(tx, subscription_id, caller)
    if version is not None and version != now.version:
        detail = f"It is at version {now.version}; read it, then change it with that in If-Match."
        raise PreconditionError(detail)
    secret = _secret() if wish.rotate_secret else None
    changed = replace(
        now,
        url=now.url if wish.url is None else _checked(deps, wish.url),
        kinds=now.kinds if wish.kinds is None else list(wish.kinds),
        programs=now.programs if wish.programs is None else _allowed(caller, wish.programs),
        secret=deps.vault.seal(secret.encode(), subscription_id.bytes) if secret else now.secret,
        status=_status(now, wish),
        reason="asked",
        version=now.version + 1,
        changed_at=deps.clock.now(),
    )
    await _keep(deps, tx, changed)
    return changed, secret


async def end(deps: Deps, tx: WriteTx, subscription_id: UUID, caller: Caller) -> None:
    """End a subscription: nothing is posted any more."""
    now = await get(tx, subscription_id, caller)
    ended = replace(now, status=SubscriptionStatus.ENDED, version=now.version + 1, changed_at=deps.clock.now())
    await _keep(deps, tx, ended)


async def hear_endpoint(tx: WriteTx, fact: EndpointChanged) -> None:
    """What notify found at an endpoint."""
    await store.set_status(tx, fact.subscription_id, fact.status, fact.reason, fact.changed_at)


async def _keep(deps: Deps, tx: WriteTx, one: Subscription) -> None:
    await store.save(tx, one)
    fact = SubscriptionChanged(
        subscription_id=one.subscription_id,
        client_id=one.client_id,
        url=one.url,
        kinds=list(one.kinds),
        programs=list(one.programs),
        sealed_secret=base64.b64encode(one.secret).decode(),
        status=one.status,
        version=one.version,
        changed_at=one.changed_at,
    )
    await deps.outbox.say(tx, SUBSCRIPTION_CHANGED, fact)


def _status(now: Subscription, wish: Wish) -> SubscriptionStatus:
    if wish.status is SubscriptionStatus.PAUSED:
        return SubscriptionStatus.PAUSED
    proved = now.status is SubscriptionStatus.ACTIVE and wish.url in {None, now.url}
    if proved or (wish.status is None and wish.url is None):
        return now.status
    # Whoever comes back or moves has to answer the challenge again.
    return SubscriptionStatus.PENDING


def _secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def _allowed(caller: Caller, wanted: Sequence[str] | None) -> list[str]:
    chosen = sorted(caller.programs) if not wanted else list(wanted)
    if any(not caller.may_program(program) for program in chosen):
        detail = "Your token speaks for no such program; GET /v1/programs lists those it does."
        raise MalformedError(detail)
    return chosen


def _checked(deps: Deps, url: str) -> str:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and not parts.username and not parts.fragment and parts.port != 0
    except ValueError:
        whole = False
    else:
        whole = whole and (parts.scheme == "https" or (parts.scheme == "http" and deps.plain_webhooks))
    if not whole:
        detail = "url must be an https address without user, password or fragment."
        raise MalformedError(detail)
    return url
