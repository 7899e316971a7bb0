"""Partners' systems are told by webhook until they say they have heard: prove, post, record, pause, replay."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

import pyarrow as pa
import structlog

from services.notify.channels.webhook import Answer, WebhookSettings
from services.notify.domain import endpoints as rules
from services.notify.domain import facts
from services.notify.domain.endpoints import Endpoint, Thin
from services.notify.store import endpoints, posts
from services.notify.store.posts import Ending
from services.notify.usecases.deps import Deps
from services.notify.usecases.hear import write
from shared.contracts.events.notify import ENDPOINT_CHANGED, RECEIPT_RECORDED, EndpointChanged
from shared.contracts.events.recognition import SubscriptionChanged
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.clock import wall
from shared.kit.crypto import SealBrokenError
from shared.kit.db import WriteTx

log = structlog.get_logger(__name__)

Secrets = Sequence[str]

GONE: Final = 410
_BATCH: Final = 64
_RECEIPTS: Final = 20_000
_REPLAYED: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one endpoint is told next.

    Attributes:
        secrets: to sign with, newest first.
        events: with the number of the try.
    """

    endpoint: Endpoint
    secrets: Secrets
    events: Sequence[tuple[Thin, int]]


async def hear_events(tx: WriteTx, deps: Deps, table: pa.Table, *, client_id: str, program: str) -> None:
    """Queue what a partner is told of his programs."""
    await endpoints.lock_client(tx, client_id, alone=False)
    if await posts.keep_events(tx, table, client_id=client_id, program=program, now=deps.clock.now()):
        tx.after_commit.append(deps.hooks_wake.set)


async def hear_subscription(tx: WriteTx, deps: Deps, fact: SubscriptionChanged) -> None:
    """A partner asked for webhooks, changed or ended them; a new or moved endpoint has to prove itself.

    Raises:
        SealBrokenError: the secret was not sealed for this subscription.
    """
    await endpoints.lock_client(tx, fact.client_id, alone=True)
    known = await endpoints.find(tx, fact.subscription_id)
    secret = _sealed(fact)
    _open(deps, fact.subscription_id, secret)
    kept = await endpoints.keep(tx, _changed(deps, known, fact, secret))
    if kept is None:
        return
    tx.after_commit.append(deps.hooks_wake.set)


def _sealed(fact: SubscriptionChanged) -> bytes:
    try:
        return base64.b64decode(fact.sealed_secret, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "the sealed secret is not base64"
        raise SealBrokenError(msg) from error


def _changed(deps: Deps, known: Endpoint | None, fact: SubscriptionChanged, secret: bytes) -> Endpoint:
    now = deps.clock.now()
    previous, until = (known.previous_secret, known.previous_until) if known else (None, None)
    # Sealing the same secret twice gives other bytes: only the opened ones can be compared.
    if known and _open(deps, known.subscription_id, known.secret) != _open(deps, fact.subscription_id, secret):
        previous, until = known.secret, now + timedelta(hours=settings_of(deps).overlap_hours)
    return Endpoint(
        subscription_id=fact.subscription_id,
        client_id=fact.client_id,
        url=fact.url,
        kinds=fact.kinds,
        programs=fact.programs,
        secret=secret,
        previous_secret=previous,
        previous_until=until,
        status=rules.status_after(known, url=fact.url, asked=fact.status),
        reason="asked",
        version=fact.version,
        failures=0,
        asked_at=now,
    )


def settings_of(deps: Deps) -> WebhookSettings:
    """Settings of the channel."""
    found = deps.channels["webhook"].settings
    assert isinstance(found, WebhookSettings)
    return found


def _open(deps: Deps, subscription_id: UUID, sealed: bytes) -> str:
    return deps.vault.open(sealed, subscription_id.bytes).decode()


def secrets_of(deps: Deps, endpoint: Endpoint, now: datetime) -> list[str]:
    """Secrets that sign now, newest first."""
    found = [_open(deps, endpoint.subscription_id, endpoint.secret)]
    if endpoint.previous_secret and endpoint.previous_until and now < endpoint.previous_until:
        found.append(_open(deps, endpoint.subscription_id, endpoint.previous_secret))
    return found


async def take_challenges(tx: WriteTx, deps: Deps) -> list[Endpoint]:
    """Endpoints to be proved now."""
    return await endpoints.take_challenges(tx, deps.clock.now(), _lease(deps), datetime.fromtimestamp(wall(), UTC))


async def record_challenge(tx: WriteTx, deps: Deps, endpoint: Endpoint, answer: Answer, *, proved: bool) -> None:
    """Activate an endpoint that proved itself, with all it was to hear since it was asked for; else try again."""
    now = deps.clock.now()
    await endpoints.lock_client(tx, endpoint.client_id, alone=True)
    if proved:
        if await _change(tx, deps, endpoint, SubscriptionStatus.ACTIVE, "challenge_answered"):
            await posts.catch_up(tx, endpoint.subscription_id, now)
            tx.after_commit.append(deps.hooks_wake.set)
        return
    reason = answer.reason or "challenge_not_answered"
    again = rules.try_again(now, endpoint.failures + 1, rules.CHALLENGE_WAITS, deps.jitter())
    if again is None:
        await _change(tx, deps, endpoint, SubscriptionStatus.DISABLED, reason)
    else:
        await endpoints.fail(tx, endpoint, again, reason)


async def claim(tx: WriteTx, deps: Deps, subscription_id: UUID) -> Batch | None:
    """What an endpoint is told next, this process alone until the lease ends; None when there is nothing."""
    endpoint = await endpoints.find(tx, subscription_id)
    if endpoint is None:
        return None
    now = deps.clock.now()
    try:
        secrets = secrets_of(deps, endpoint, now)
    except SealBrokenError:
        log.exception("webhook_secret_cannot_be_opened", subscription=str(subscription_id))
        await _change(tx, deps, endpoint, SubscriptionStatus.DISABLED, "secret_cannot_be_opened")
        return None
    taken = await posts.claim(tx, subscription_id, _BATCH, now, _lease(deps))
    return Batch(endpoint=endpoint, secrets=secrets, events=taken) if taken else None


def _lease(deps: Deps) -> datetime:
    # A batch takes a few rounds of calls, each as long as the longest wait at most.
    rounds = _BATCH // settings_of(deps).at_once + 2
    return datetime.fromtimestamp(wall() + deps.lease_seconds + rounds * settings_of(deps).seconds, UTC)


async def record(tx: WriteTx, deps: Deps, batch: Batch, answers: Sequence[Answer]) -> None:
    """Record what an endpoint answered: heard, to be tried again, given up; a failing one rests, 410 ends it."""
    now, endpoint, jitter = deps.clock.now(), batch.endpoint, deps.jitter()
    told = [(event, tries, answer) for (event, tries), answer in zip(batch.events, answers, strict=True)]
    failed = all(not answer.taken for answer in answers)
    # What is refused again, by itself, rests by itself: what comes meanwhile must not wait for it.
    rests = failed and any(
        answer.retry_after or not rules.may_be_the_events_fault(answer.status, tries) for _, tries, answer in told
    )
    # While the endpoint itself fails its own rest is enough; its events wait for it and none is given up.
    waits = () if rests and endpoint.failures else rules.WAITS
    dues = [rules.try_again(now, tries, waits, jitter) if waits else now for _, tries, _ in told]
    # The last try at an endpoint that has taken nothing since it began to fail says more of it than of the event.
    ends = failed and not rests and endpoint.failures > 0 and None in dues
    endings = [
        _ending(event, answer, now, again=now if ends else due)
        for (event, _, answer), due in zip(told, dues, strict=True)
    ]
    await posts.record(tx, endpoint.subscription_id, endings, now)
    if any(answer.status == GONE for answer in answers):
        await _change(tx, deps, endpoint, SubscriptionStatus.DISABLED, "gone")
    elif ends:
        await _change(tx, deps, endpoint, SubscriptionStatus.PAUSED, answers[-1].reason)
    elif rests:
        await _rest(tx, deps, endpoint, answers, jitter)
    elif not failed:
        await endpoints.succeed(tx, endpoint.subscription_id, now)
    if any(each.status != "queued" for each in endings):
        tx.after_commit.append(deps.receipts_wake.set)


def _ending(event: Thin, answer: Answer, now: datetime, *, again: datetime | None) -> Ending:
    if answer.status == GONE:
        # It stays queued: an endpoint that comes back hears what it missed.
        again = now
    queued = "failed" if again is None else "queued"
    return Ending(
        event_id=event.event_id,
        status="delivered" if answer.taken else queued,
        http_status=answer.status,
        reason=answer.reason,
        due_at=None if answer.taken else again,
    )


async def _rest(tx: WriteTx, deps: Deps, endpoint: Endpoint, answers: Sequence[Answer], jitter: float) -> None:
    now = deps.clock.now()
    again = rules.try_again(now, endpoint.failures + 1, rules.WAITS, jitter)
    if again is None:
        await _change(tx, deps, endpoint, SubscriptionStatus.PAUSED, answers[-1].reason)
        return
    asked = max((answer.retry_after or 0.0 for answer in answers), default=0.0)
    again = max(again, now + timedelta(seconds=asked))
    await endpoints.fail(tx, endpoint, again, answers[-1].reason)


async def _change(tx: WriteTx, deps: Deps, endpoint: Endpoint, status: SubscriptionStatus, reason: str) -> bool:
    """Change where an endpoint stands and say so; its owner is told when it no longer hears."""
    now = deps.clock.now()
    if not await endpoints.set_status(tx, endpoint.subscription_id, status, reason, now, version=endpoint.version):
        return False
    fact = EndpointChanged(
        subscription_id=endpoint.subscription_id,
        client_id=endpoint.client_id,
        status=status,
        reason=reason,
        changed_at=now,
    )
    await deps.outbox.say(tx, ENDPOINT_CHANGED, fact)
    if status is not SubscriptionStatus.ACTIVE:
        await write(tx, deps, [facts.endpoint_stopped(fact)])
    log.info("endpoint_changed", subscription=str(endpoint.subscription_id), status=status.value, reason=reason)
    return True


async def say_receipts(tx: WriteTx, deps: Deps) -> int:
    """Say what became of events at partners' endpoints, many at a time. Returns the number."""
    rows = await posts.take_untold(tx, _RECEIPTS)
    for (subscription_id, client_id), some in groupby(rows, key=lambda row: (row["subscription_id"], row["client_id"])):
        told = list(some)
        table = pa.table(
            {
                "subject": pa.array([row["subject"].bytes for row in told], pa.binary(16)),
                "event_id": pa.array([row["event_id"].bytes for row in told], pa.binary(16)),
                "outcome": pa.array([row["status"] for row in told], pa.string()),
                "attempts": pa.array([row["attempts"] for row in told], pa.int16()),
                "recorded_at": pa.array([row["ended_at"] for row in told], pa.timestamp("us", "UTC")),
            }
        )
        attributes = {"client_id": client_id, "subscription": str(subscription_id)}
        await deps.outbox.say_table(tx, RECEIPT_RECORDED, table, attributes)
    return len(rows)


async def tidy(tx: WriteTx, deps: Deps) -> None:
    """Take back what dead processes held, and forget what can no longer be replayed."""
    await posts.return_expired(tx, datetime.fromtimestamp(wall(), UTC))
    await posts.forget(tx, deps.clock.now() - timedelta(days=settings_of(deps).keep_days))


async def replay(
    tx: WriteTx, deps: Deps, endpoint: Endpoint, *, event_ids: Sequence[UUID] | None, since: datetime | None
) -> int:
    """Post events again, by id or from an instant on, under their own ids. Returns the number."""
    now = deps.clock.now()
    count = await posts.replay(
        tx, endpoint.subscription_id, now, event_ids=event_ids, since=since, until=now, limit=_REPLAYED
    )
    tx.after_commit.append(deps.hooks_wake.set)
    return count


async def resume(tx: WriteTx, deps: Deps, endpoint: Endpoint) -> None:
    """Prove a paused or disabled endpoint anew; it then hears all that waited."""
    await endpoints.set_status(
        tx,
        endpoint.subscription_id,
        SubscriptionStatus.PENDING,
        "resumed_by_owner",
        deps.clock.now(),
        version=endpoint.version,
    )
    tx.after_commit.append(deps.hooks_wake.set)


def challenge_of(deps: Deps, raw: bytes) -> tuple[str, bytes]:
    """A challenge and the body that carries it."""
    challenge = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return challenge, rules.challenge_body(challenge, deps.clock.now())


def is_proved(challenge: str, answer: Answer) -> bool:
    """Whether an answer proves the endpoint."""
    return answer.taken and rules.answers_challenge(challenge, answer.body)
