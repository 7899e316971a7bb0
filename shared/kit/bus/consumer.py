"""Durable pull consumers: one message, one transaction, ack after commit, poison parked whole."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import pyarrow as pa
import structlog
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext, api
from pydantic import ValidationError

from shared.contracts.events import Event, Fact, FactEvent, TableEvent
from shared.contracts.vocabulary import SHARDS
from shared.kit import arrow, inbox, trace
from shared.kit.bus.connection import Bus
from shared.kit.clock import wall
from shared.kit.db import Database, WriteTx, is_operational
from shared.kit.telemetry import (
    DEAD_LETTERS,
    INBOX_DUPLICATES,
    MESSAGE_SECONDS,
    MESSAGES_HANDLED,
    MESSAGES_RETRIED,
)

log = structlog.get_logger(__name__)

TRIES = 8
_MAX_DELIVER = 1000  # finite; parking after TRIES is ours, this bounds only a database that stays away for days
# Short, so that what a killed process held is soon given to another; long work keeps it by heartbeats.
_ACK_WAIT = 20.0
_HEARTBEAT = 6.0
_DELAYS = (0.2, 1.0, 5.0, 15.0, 30.0, 30.0, 30.0)

FactT = TypeVar("FactT", bound=Fact)


class PoisonError(Exception):
    """A message that no retry can help: it is parked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as a handler sees it."""

    id: UUID
    event: Event
    shard: str | None
    attributes: dict[str, str]
    happened_at: datetime
    body: bytes

    def table(self) -> pa.Table:
        """The body of a table event."""
        return arrow.decode(self.body)

    def fact(self, model: type[FactT]) -> FactT:
        """The body of a JSON event."""
        return model.model_validate_json(self.body)


Handler = Callable[[WriteTx, Message], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a service hears and what it does then.

    Attributes:
        event: the event.
        handler: gets a write transaction and the message; must not commit.
        after: called after the commit of each message, e.g. to wake a sweep.
    """

    event: Event
    handler: Handler
    after: Callable[[Message], object] | None = None

    def durables(self, service: str) -> list[tuple[str, str, str | None]]:
        """Durable name, subject and shard of each consumer."""
        name = f"{service}-{self.event.name.replace('.', '-')}"
        if isinstance(self.event, FactEvent):
            return [(name, self.event.name, None)]
        return [(f"{name}-{shard}", f"{self.event.name}.{shard}", shard) for shard in SHARDS]


@dataclass(slots=True)
class Consumers:
    """All consumers of one process.

    Attributes:
        concurrency: messages handled at once, a bound on connections and memory.
    """

    service: str
    bus: Bus
    database: Database
    subscriptions: Sequence[Subscription]
    concurrency: int = 8
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _places: asyncio.Semaphore | None = None

    async def start(self) -> None:
        """Reconcile the durable consumers and start listening."""
        self._places = asyncio.Semaphore(self.concurrency)
        lanes = [(sub, *names) for sub in self.subscriptions for names in sub.durables(self.service)]
        await asyncio.gather(*(self._reconcile(sub, durable, subject) for sub, durable, subject, _ in lanes))
        self._tasks = [
            asyncio.create_task(self._listen(sub, durable, subject, shard), name=durable)
            for sub, durable, subject, shard in lanes
        ]

    async def stop(self) -> None:
        """Fetch no more, let what is in hand finish, then return."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=20)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reconcile(self, subscription: Subscription, durable: str, subject: str) -> None:
        config = api.ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=api.AckPolicy.EXPLICIT,
            deliver_policy=api.DeliverPolicy.ALL,
            ack_wait=_ACK_WAIT,
            max_deliver=_MAX_DELIVER,
            # One at a time keeps a shard in order and off two workers at once.
            max_ack_pending=1,
        )
        await self.bus.keep_consumer(subscription.event.stream, config)

    async def _listen(self, subscription: Subscription, durable: str, subject: str, shard: str | None) -> None:
        stream = subscription.event.stream
        source: JetStreamContext.PullSubscription | None = None
        while not self._stopping.is_set():
            try:
                source = source or await self.bus.bind(stream, durable)
                message = await self._fetch(source)
                if message is not None:
                    await self._take(subscription, durable, shard, message)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  (a loop that ends would be a silent consumer)
                log.warning("consumer_waits", consumer=durable, reason=type(error).__name__)
                if source is not None:
                    # An old subscription with a request under way would take a message nobody reads.
                    with contextlib.suppress(Exception):
                        await source.unsubscribe()
                source = None
                await asyncio.sleep(1.0)
                with contextlib.suppress(Exception):
                    await self._reconcile(subscription, durable, subject)

    async def _fetch(self, source: JetStreamContext.PullSubscription) -> Msg | None:
        fetch = asyncio.ensure_future(source.fetch(1, timeout=5))
        stop = asyncio.ensure_future(self._stopping.wait())
        done, _ = await asyncio.wait({fetch, stop}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if fetch not in done:
            fetch.cancel()
            await asyncio.gather(fetch, return_exceptions=True)
            if self._stopping.is_set():
                return None
            msg = "fetch hung"
            raise TimeoutError(msg)
        try:
            return fetch.result()[0]
        except (NatsTimeoutError, TimeoutError):
            return None  # nothing to hear is not an error

    async def _take(self, subscription: Subscription, durable: str, shard: str | None, raw: Msg) -> None:
        assert self._places is not None
        async with self._places:
            started = wall()
            work = asyncio.ensure_future(self._handle(subscription, durable, shard, raw))
            while not work.done():
                await asyncio.wait({work}, timeout=_HEARTBEAT)
                if not work.done():
                    await raw.in_progress()
            MESSAGE_SECONDS.labels(durable.removesuffix(f"-{shard}")).observe(wall() - started)
            work.result()

    async def _handle(self, subscription: Subscription, durable: str, shard: str | None, raw: Msg) -> None:
        label = durable.removesuffix(f"-{shard}")
        tries = raw.metadata.num_delivered or 1
        try:
            message = _read(subscription.event, shard, raw)
            if tries > TRIES:
                msg = "the process died each time it was handled"
                raise PoisonError(msg)  # noqa: TRY301  (parked below like every poison)
            fresh = await self._apply(subscription, durable, message)
        except Exception as error:  # noqa: BLE001  (every failure must end in retry or parking)
            await self._give_back(durable, raw, tries, error)
            MESSAGES_RETRIED.labels(label).inc()
            return
        await raw.ack()
        (MESSAGES_HANDLED if fresh else INBOX_DUPLICATES).labels(label).inc()
        if fresh and subscription.after:
            subscription.after(message)

    async def _apply(self, subscription: Subscription, durable: str, message: Message) -> bool:
        async with self.database.write() as tx:
            if not await inbox.claim(tx, durable, message.id):
                return False
            await subscription.handler(tx, message)
        return True

    async def _give_back(self, durable: str, raw: Msg, tries: int, error: Exception) -> None:
        if is_operational(error):
            log.warning("message_waits", consumer=durable, reason=type(error).__name__)
            await self._until_database_answers()
            await raw.nak(delay=1.0)
            return
        poison = isinstance(error, PoisonError | ValidationError | arrow.TableShapeError)
        if not poison and tries < TRIES:
            log.warning("message_retried", consumer=durable, tries=tries, exc_info=error)
            await raw.nak(delay=_DELAYS[min(tries, len(_DELAYS)) - 1] * random.uniform(0.8, 1.2))  # noqa: S311  (jitter)
            return
        log.error("message_parked", consumer=durable, tries=tries, exc_info=error)
        async with self.database.write() as tx:
            headers = {key: str(value) for key, value in (raw.headers or {}).items()}
            # The sentence of the error may quote the body; only its type is kept.
            await inbox.park(
                tx,
                consumer=durable,
                event_id=_event_id(headers, raw),
                subject=raw.subject,
                headers=headers,
                body=raw.data,
                reason=f"{type(error).__name__} after {tries} tries",
            )
        DEAD_LETTERS.labels(durable).inc()
        await raw.ack_sync()

    async def _until_database_answers(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.database.ping()
            except Exception:  # noqa: BLE001  (whatever it is, it is still away)
                await asyncio.sleep(1.0)
            else:
                return

    async def pending(self) -> tuple[int, int]:
        """Messages not yet delivered to these consumers, and delivered but not yet acknowledged."""
        lanes = [(sub.event.stream, names[0]) for sub in self.subscriptions for names in sub.durables(self.service)]
        counts = await asyncio.gather(*(self.bus.pending(stream, durable) for stream, durable in lanes))
        return sum(count[0] for count in counts), sum(count[1] for count in counts)

    async def redrive(self, letter: inbox.DeadLetter) -> bool:
        """Handle a parked message again, in one transaction with its mark; False when no consumer is its own."""
        for subscription in self.subscriptions:
            for durable, _, shard in subscription.durables(self.service):
                if durable == letter.consumer:
                    message = _message(subscription.event, shard, letter.headers, letter.body, letter.event_id)
                    async with self.database.write() as tx:
                        if await inbox.claim(tx, durable, message.id):
                            await subscription.handler(tx, message)
                        await inbox.mark_redriven(tx, letter.id)
                    if subscription.after:
                        subscription.after(message)
                    return True
        return False


def _event_id(headers: dict[str, str], raw: Msg) -> UUID:
    try:
        return UUID(headers["ce-id"])
    except (KeyError, ValueError):
        # Without an id of its own it is known by its place in the stream.
        return UUID(int=raw.metadata.sequence.stream)


def _read(event: Event, shard: str | None, raw: Msg) -> Message:
    headers = {key: str(value) for key, value in (raw.headers or {}).items()}
    missing = [name for name in ("ce-id", "ce-type", "ce-time", "ce-source", "ce-specversion") if name not in headers]
    if missing:
        msg = f"not a CloudEvent: {', '.join(missing)} missing"
        raise PoisonError(msg)
    return _message(event, shard, headers, raw.data, UUID(headers["ce-id"]))


def _message(event: Event, shard: str | None, headers: Mapping[str, str], body: bytes, event_id: UUID) -> Message:
    if headers["ce-type"] != event.name:
        msg = f"{headers['ce-type']} came on the subject of {event.name}"
        raise PoisonError(msg)
    trace.start(headers.get(trace.HEADER))
    attributes: dict[str, str] = {}
    if isinstance(event, TableEvent):
        schema = arrow.schema_of(body)
        attributes = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        if [name for name in event.columns if name not in schema.names]:
            msg = f"{event.name} lacks columns"
            raise PoisonError(msg)
    return Message(
        id=event_id,
        event=event,
        shard=shard,
        attributes=attributes,
        happened_at=datetime.fromisoformat(headers["ce-time"]),
        body=body,
    )
