"""Durable pull consumers: one message, one transaction, ack after commit, poison parked whole."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog
from nats.aio.msg import Msg
from nats.js import api
from pydantic import ValidationError

from shared.contracts.events import Event, FactEvent
from shared.contracts.vocabulary import EVERY_SHARD, SHARDS
from shared.kit import arrow, inbox, trace
from shared.kit.bus.connection import Bus, NoStreamError
from shared.kit.bus.lives import Lives
from shared.kit.bus.message import Message, PoisonError, message_of
from shared.kit.bus.pull import Pull, PullBrokenError
from shared.kit.bus.watch import Watch
from shared.kit.clock import wall
from shared.kit.db import Database, WriteTx
from shared.kit.db_errors import is_operational
from shared.kit.problems import ConflictError
from shared.kit.telemetry import (
    DEAD_LETTERS,
    INBOX_DUPLICATES,
    MESSAGE_SECONDS,
    MESSAGES_HANDLED,
    MESSAGES_RETRIED,
)

log = structlog.get_logger(__name__)

TRIES = 8
# Parking is ours, and it takes the message whole: at a bound of the server's a message would stop without a word. Why
# this and other settings are not those of the reference: ADR 0024.
_MAX_DELIVER = -1
# Short, so that what a killed process held is soon given to another; long work keeps it by heartbeats.
_ACK_WAIT = 10.0
_HEARTBEAT = 3.0
_LOOK_SECONDS = 1.0
_DELAYS = (0.2, 1.0, 5.0, 15.0, 30.0, 30.0, 30.0)


class StillBadError(ConflictError):
    """A parked message that cannot be handled yet."""

    code = "still_bad"


Handler = Callable[[WriteTx, Message], Awaitable[None]]
ManyHandler = Callable[[WriteTx, Sequence[Message]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a service hears and what it does then.

    Attributes:
        event: the event.
        handler: gets a write transaction and the message; must not commit.
        many: does for several messages at once what `handler` does for each.
        after: called after the commit of each message, e.g. to wake a sweep.
        together: how many messages may share a transaction; more than 1 only for handlers that merely add rows, as
            their effects then commit and fail together and one consumer hears all shards, in any order (ADR 0020).
    """

    event: Event
    handler: Handler
    many: ManyHandler | None = None
    after: Callable[[Message], object] | None = None
    together: int = 1

    def durables(self, service: str) -> list[tuple[str, str, str | None]]:
        """Durable name, subject and shard of each consumer."""
        name = f"{service}-{self.event.name.replace('.', '-')}"
        if isinstance(self.event, FactEvent):
            return [(name, self.event.name, None)]
        if self.together > 1:
            return [(name, f"{self.event.name}.*", None)]
        shards = [*SHARDS, EVERY_SHARD] if self.event.undivided else SHARDS
        return [(f"{name}-{shard}", f"{self.event.name}.{shard}", shard) for shard in shards]


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
    _failures: Counter[tuple[str, int]] = field(default_factory=Counter)
    _watch: Watch = field(default_factory=Watch)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _awaited: dict[str, str] = field(default_factory=dict)  # stream by consumer that waits for it
    _places: asyncio.Semaphore | None = None
    _lives: Lives = field(init=False)

    def __post_init__(self) -> None:
        """Know which messages processes die of."""
        self._lives = Lives(self.database)

    async def start(self) -> None:
        """Reconcile the durable consumers and start listening."""
        self._places = asyncio.Semaphore(self.concurrency)
        lanes = [(sub, *names) for sub in self.subscriptions for names in sub.durables(self.service)]
        await asyncio.gather(*(self._make(sub, durable, subject) for sub, durable, subject, _ in lanes))
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

    async def _make(self, subscription: Subscription, durable: str, subject: str) -> None:
        stream = subscription.event.stream
        try:
            await self._reconcile(subscription, durable, subject)
        except NoStreamError:
            # Its speaker has never run here; the listening loop asks again until he has.
            if stream not in self._awaited.values():
                log.info("stream_awaited", stream=stream)
            self._awaited[durable] = stream

    async def _reconcile(self, subscription: Subscription, durable: str, subject: str) -> None:
        config = api.ConsumerConfig(
            # By name too: the request then has name and filter in its subject, where the broker's permissions see them.
            name=durable,
            durable_name=durable,
            filter_subject=subject,
            ack_policy=api.AckPolicy.EXPLICIT,
            deliver_policy=api.DeliverPolicy.ALL,
            ack_wait=_ACK_WAIT,
            max_deliver=_MAX_DELIVER,
            # One at a time keeps a shard in order and off two workers at once; adding rows needs neither, and the next
            # messages are on their way while the last ones are committed.
            max_ack_pending=1 if subscription.together == 1 else 2 * subscription.together,
        )
        await self.bus.keep_consumer(subscription.event.stream, config)

    async def _listen(self, subscription: Subscription, durable: str, subject: str, shard: str | None) -> None:
        source: Pull | None = None
        while durable in self._awaited and not self._stopping.is_set():
            await asyncio.sleep(_LOOK_SECONDS)
            with contextlib.suppress(Exception):
                await self._reconcile(subscription, durable, subject)
                del self._awaited[durable]
        while not self._stopping.is_set():
            try:
                source = source or self.bus.bind(subscription.event.stream, durable)
                if messages := await self._hear(subscription, durable, source):
                    await self._take(subscription, durable, shard, source, messages)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  (a loop that ends would be a silent consumer)
                log.warning("consumer_waits", consumer=durable, reason=type(error).__name__)
                if source is not None:
                    # An old subscription with a request under way would take a message nobody reads.
                    with contextlib.suppress(Exception):
                        await source.close()
                source = None
                await asyncio.sleep(1.0)
                with contextlib.suppress(Exception):
                    await self._reconcile(subscription, durable, subject)
        if source is not None:
            with contextlib.suppress(Exception):
                await source.close()

    async def _hear(self, subscription: Subscription, durable: str, source: Pull) -> list[Msg]:
        messages = await source.take(subscription.together, _LOOK_SECONDS)
        if not messages and self._watch.is_deaf(durable, wall()):
            raise PullBrokenError(durable)
        return messages

    async def _take(
        self, subscription: Subscription, durable: str, shard: str | None, source: Pull, raws: Sequence[Msg]
    ) -> None:
        work = asyncio.ensure_future(self._in_place(subscription, durable, shard, source, raws))
        with self._watch.at_work(durable):
            while not work.done():
                await asyncio.wait({work}, timeout=_HEARTBEAT)
                if not work.done():
                    for raw in raws:
                        await raw.in_progress()
        work.result()

    async def _in_place(
        self, subscription: Subscription, durable: str, shard: str | None, source: Pull, raws: Sequence[Msg]
    ) -> None:
        assert self._places is not None
        async with self._places:
            started = wall()
            await self._handle(subscription, durable, shard, source, raws)
            MESSAGE_SECONDS.labels(durable.removesuffix(f"-{shard}")).observe(wall() - started)

    async def _handle(
        self, subscription: Subscription, durable: str, shard: str | None, source: Pull, raws: Sequence[Msg]
    ) -> None:
        label = durable.removesuffix(f"-{shard}")
        try:
            messages = [await self._read(subscription.event, durable, raw) for raw in raws]
            fresh = await self._apply(subscription, durable, messages)
        except Exception as error:  # noqa: BLE001  (every failure must end in retry or parking)
            if len(raws) > 1:
                # Whatever failed, the others must not suffer: each by itself.
                for raw in raws:
                    await self._handle(subscription, durable, shard, source, [raw])
                return
            await self._give_back(durable, raws[0], error)
            MESSAGES_RETRIED.labels(label).inc()
            return
        await source.acknowledge(raws)
        for raw in raws:
            self._failures.pop(_place(durable, raw), None)
            self._lives.done(_place(durable, raw))
        MESSAGES_HANDLED.labels(label).inc(len(fresh))
        INBOX_DUPLICATES.labels(label).inc(len(raws) - len(fresh))
        for message in fresh:
            trace.resume(message.traceparent)
            if subscription.after:
                subscription.after(message)
        if fresh:
            _tell_handled(durable, fresh)

    async def _apply(self, subscription: Subscription, durable: str, messages: Sequence[Message]) -> list[Message]:
        """Handle what has not been handled before, all in one transaction; returns those, in the spans that did it."""
        handled = []
        async with self.database.write() as tx:
            new = await inbox.claim_all(tx, durable, [message.id for message in messages])
            fresh = [message for message in messages if message.id in new]
            if subscription.many and len(fresh) > 1:
                first, *others = fresh
                with _span(durable, first, [other.traceparent for other in others if other.traceparent]):
                    await subscription.many(tx, fresh)
                    return [replace(first, traceparent=trace.current()), *others]
            for message in fresh:
                with _span(durable, message):
                    await subscription.handler(tx, message)
                    handled.append(replace(message, traceparent=trace.current()))
        return handled

    async def _give_back(self, durable: str, raw: Msg, error: Exception) -> None:
        trace.resume(trace.well_formed((raw.headers or {}).get(trace.HEADER)))
        place = _place(durable, raw)
        if is_operational(error):
            # Trouble of the surroundings is no failure of the message: it waits, longer each time, and is never parked.
            log.warning("message_waits", consumer=durable, reason=type(error).__name__)
            await self._until_database_answers()
            await self._lives.waits(place, _event_id(raw))
            await raw.nak(delay=min(30.0, 0.5 * (raw.metadata.num_delivered or 1)))
            return
        self._failures[place] += 1
        tries = self._failures[place]
        poison = isinstance(error, PoisonError | ValidationError | arrow.TableShapeError)
        if not poison and tries < TRIES:
            log.warning("message_retried", consumer=durable, tries=tries, exc_info=error)
            await self._lives.given_back(place, _event_id(raw))
            await raw.nak(delay=_DELAYS[min(tries, len(_DELAYS)) - 1] * random.uniform(0.8, 1.2))  # noqa: S311  (jitter)
            return
        log.error("message_parked", consumer=durable, tries=tries, exc_info=error)
        async with self.database.write() as tx:
            headers = {key: str(value) for key, value in (raw.headers or {}).items()}
            # The sentence of the error may quote the body; only its type is kept.
            await inbox.park(
                tx,
                consumer=durable,
                event_id=_event_id(raw),
                subject=raw.subject,
                headers=headers,
                body=raw.data,
                reason=f"{type(error).__name__} after {tries} tries",
            )
        DEAD_LETTERS.labels(durable).inc()
        del self._failures[place]
        self._lives.done(place)
        await raw.ack_sync()

    async def _read(self, event: Event, durable: str, raw: Msg) -> Message:
        await self._lives.take_up(_place(durable, raw), _event_id(raw), raw.metadata.num_delivered or 1)
        headers = {key: str(value) for key, value in (raw.headers or {}).items()}
        return message_of(event, raw.subject, headers, raw.data)

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
        counts = list((await self.lag()).values())
        return sum(count[0] for count in counts), sum(count[1] for count in counts)

    async def lag(self) -> dict[str, tuple[int, int]]:
        """The same by consumer, its shards together; who waits beside messages for long is bound anew."""
        streams: dict[str, dict[str, str]] = {}
        for sub in self.subscriptions:
            for durable, _, shard in sub.durables(self.service):
                streams.setdefault(sub.event.stream, {})[durable] = durable.removesuffix(f"-{shard}")
        found = await asyncio.gather(*(self.bus.pending(stream, names) for stream, names in streams.items()))
        sums: dict[str, tuple[int, int]] = {name: (0, 0) for names in streams.values() for name in names.values()}
        now = wall()
        for names, counts in zip(streams.values(), found, strict=True):
            self._watch.look({durable: undelivered for durable, (undelivered, _) in counts.items()}, now)
            for durable, (undelivered, unacknowledged) in counts.items():
                before = sums[names[durable]]
                sums[names[durable]] = (before[0] + undelivered, before[1] + unacknowledged)
        return sums

    async def redrive(self, letter: inbox.DeadLetter) -> bool:
        """Handle a parked message again, in one transaction with its mark; False when no consumer is its own.

        Raises:
            StillBadError: what it was parked for has not been mended.
        """
        for subscription in self.subscriptions:
            for durable, _, _ in subscription.durables(self.service):
                if durable == letter.consumer:
                    try:
                        message = await self._redrive(subscription, letter)
                    except Exception as error:
                        if is_operational(error):
                            raise
                        log.warning("redrive_failed", consumer=durable, dead_letter=letter.id, exc_info=error)
                        detail = f"It still cannot be handled ({type(error).__name__}): mend the cause, or discard it."
                        raise StillBadError(detail) from error
                    if subscription.after:
                        subscription.after(message)
                    return True
        return False

    async def _redrive(self, subscription: Subscription, letter: inbox.DeadLetter) -> Message:
        message = message_of(subscription.event, letter.subject, letter.headers, letter.body)
        async with self.database.write() as tx:
            if await inbox.claim(tx, letter.consumer, message.id):
                with _span(letter.consumer, message):
                    await subscription.handler(tx, message)
            await inbox.mark_redriven(tx, letter.id)
        return message


def _place(durable: str, raw: Msg) -> tuple[str, int]:
    return durable, raw.metadata.sequence.stream


def _event_id(raw: Msg) -> UUID:
    try:
        return UUID((raw.headers or {})["ce-id"])
    except (KeyError, ValueError):
        # Without an id of its own it is known by its place in the stream.
        return UUID(int=raw.metadata.sequence.stream)


def _span(durable: str, message: Message, links: Sequence[str] = ()) -> AbstractContextManager[trace.Piece]:
    about: trace.Attributes = {"messaging.system": "nats", "messaging.message.id": str(message.id)}
    return trace.span(f"handle {durable}", parent=message.traceparent, kind="consumer", links=links, attributes=about)


def _tell_handled(durable: str, messages: Sequence[Message]) -> None:
    """One line for what shared a transaction, under the first one's trace; the others' traces stand in it."""
    first, *others = dict.fromkeys(message.traceparent for message in messages)
    trace.resume(first)
    joined = list(dict.fromkeys(each[3:35] for each in others if each))
    more = {"messages": len(messages), "joined": joined} if len(messages) > 1 else {}
    log.info("message_handled", consumer=durable, message_id=str(messages[0].id), **more)
