"""One connection to JetStream: a bounded first connect, retrying publishes, streams and consumers kept as declared."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from nats import connect
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, NoServersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, BadRequestError, NoStreamResponseError, ServerError, ServiceUnavailableError
from nats.js.errors import NotFoundError as NotThereError

from shared.contracts.events import Event
from shared.kit.bus.pull import Pull
from shared.kit.bus.safety import require_kept
from shared.kit.clock import wall
from shared.kit.problems import UnavailableError

log = structlog.get_logger(__name__)

_STORE_FULL = frozenset({10077, 10047, 10023})  # the stream, the account's storage, the server's resources
_DELIVER_POLICY_FIXED = 10012
_NO_STREAM = 10059
_OTHER_STREAM = 10060
_SILENT = "JetStream does not answer; what was said waits in the outboxes."
_DAY = 86_400
_PAGE = 256  # of the server's consumer list
_GIB = 1 << 30
_ANSWER_SECONDS = 5.0
# A machine that starts everything at once makes a server slow to make streams; who gives up then does not start at all.
_MANAGE_SECONDS = 30.0
_PUBLISH_BUDGET = 30.0  # a leader change takes up to 8 s; twice that and a reserve
_LIMITS: dict[str, tuple[int, int]] = {
    # stream: days, bytes of one copy
    "INGEST": (14, 24 * _GIB),
    "SCORING": (30, 8 * _GIB),
    "RECOGNITION": (90, 8 * _GIB),
    "GRID": (30, 2 * _GIB),
    "NOTIFY": (14, 4 * _GIB),
}


class BusFullError(UnavailableError):
    """The stream has reached its limit; the outbox waits and an alarm rings."""

    code = "bus_full"
    title = "The message store is full"


class NoStreamError(UnavailableError):
    """The service that says these messages has not made its stream yet."""

    title = "Nobody has spoken here yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerState:
    """A consumer as the broker sees it.

    Attributes:
        filters: subjects it hears; none: all of its stream.
        waiting: messages that are still to be given to it, or to be acknowledged by it.
        created: when it was made.
        from_start: whether it was to be given everything the stream held then.
    """

    name: str
    filters: tuple[str, ...]
    waiting: int
    created: datetime
    from_start: bool

    def hears(self, subject: str) -> bool:
        """Whether a message on a subject is for this consumer."""
        return not self.filters or any(_matches(each.split("."), subject.split(".")) for each in self.filters)


def _refuse(error: APIError, stream: str) -> None:
    """Give up on an answer that asking again does not change."""
    if error.err_code in _STORE_FULL:
        detail = f"Stream {stream} is full; raise its limits or wait."
        raise BusFullError(detail) from error
    if error.err_code == _OTHER_STREAM:
        # Its acknowledgement would have marked as said what our hearers never hear.
        detail = f"Another stream than {stream} keeps its subjects: remove that one, then `wugan streams`."
        raise UnavailableError(detail) from error
    if isinstance(error, BadRequestError):
        raise error


def _matches(wanted: list[str], words: list[str]) -> bool:
    if wanted[-1] == ">":
        wanted, rest = wanted[:-1], words[len(wanted) - 1 :]
        if not rest:
            return False
        words = words[: len(wanted)]
    return len(wanted) == len(words) and all(each in {"*", word} for each, word in zip(wanted, words, strict=True))


class Bus:
    """A connection to JetStream.

    Args:
        url: nats://user:password@host:port, several separated by commas.
        name: of the client, as the server's monitoring shows it.
        on_closed: called when the connection is gone for good; the process should then end.
        ca_file: authority of the servers' certificates, for tls:// URLs of an installation with its own.
    """

    def __init__(
        self, url: str, *, name: str, on_closed: Callable[[], object] | None = None, ca_file: Path | None = None
    ) -> None:
        self.servers = url.split(",")
        user = urlsplit(self.servers[0]).username
        self._access: dict[str, Any] = {
            # Answers and deliveries come to an inbox; a user may listen on his own only.
            "inbox_prefix": f"_INBOX_{user}" if user else "_INBOX",
            "tls": ssl.create_default_context(cafile=ca_file) if ca_file else None,
        }
        self._name = name
        self._on_closed = on_closed
        self._client: Client | None = None
        self._context: JetStreamContext | None = None
        self._closing = False
        self._unanswered: set[asyncio.Timeout] = set()

    async def connect(self, *, attempts: int = 60, seconds: float = 0.5, within: float = 10.0) -> None:
        """Connect, trying a bounded number of times; from then on the client reconnects for ever.

        Args:
            attempts: how often.
            seconds: between them.
            within: seconds each time may take.

        Raises:
            UnavailableError: no server answered.
        """
        for attempt in range(attempts):
            try:
                async with asyncio.timeout(within):
                    await self._probe()
                    self._client = await self._lasting()
            except (NoServersError, OSError, NatsError, TimeoutError):
                if attempt == attempts - 1:
                    break
                await asyncio.sleep(seconds)
                continue
            self._context = self._client.jetstream(timeout=_MANAGE_SECONDS)
            return
        detail = "NATS does not answer; check WUGAN_NATS_URL."
        raise UnavailableError(detail)

    async def _probe(self) -> None:
        """See that a server answers: twice to each, as the client does not count its first try."""
        # The first connect must not use the client's own reconnect loop: it ignores its limits.
        tries = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": 0.1}
        found = await connect(
            self.servers, name=self._name, connect_timeout=2, error_cb=self._on_error, **tries, **self._access
        )
        await found.close()

    async def _lasting(self) -> Client:
        """A connection that never gives up: if the server dies before it stands, only the caller's limit ends it."""
        client = Client()
        try:
            await client.connect(self.servers, **self._options())
        except BaseException:
            with contextlib.suppress(Exception):
                await client.close()
            raise
        return client

    def _options(self) -> dict[str, Any]:
        return {
            **self._access,
            "name": self._name,
            "ping_interval": 15,
            "max_outstanding_pings": 2,
            "reconnect_time_wait": 1,
            "max_reconnect_attempts": -1,
            "pending_size": 64 * 1024 * 1024,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_reconnected,
            "closed_cb": self._on_close,
        }

    async def _on_error(self, error: Exception) -> None:
        log.warning("bus_error", reason=type(error).__name__)

    async def _on_disconnected(self) -> None:
        if not self._closing:
            log.warning("bus_disconnected")

    async def _on_reconnected(self) -> None:
        log.info("bus_reconnected")
        for limit in self._unanswered:
            limit.reschedule(0)  # what the old connection was asked is never answered: do not wait for it

    @contextlib.asynccontextmanager
    async def _answered(self) -> AsyncIterator[None]:
        """A question that ends with its time or with its connection."""
        async with asyncio.timeout(_ANSWER_SECONDS) as limit:
            self._unanswered.add(limit)
            try:
                yield
            finally:
                self._unanswered.discard(limit)

    async def _on_close(self) -> None:
        # One that never stood is tried again.
        if not self._closing and self._client and self._on_closed:
            log.error("bus_closed")
            self._on_closed()

    @property
    def context(self) -> JetStreamContext:
        """JetStream of this connection."""
        if self._context is None:
            detail = "The bus is not connected."
            raise UnavailableError(detail)
        return self._context

    async def healthy(self) -> bool:
        """Whether JetStream itself answers: a client stays "connected" while the cluster has no leader."""
        try:
            async with asyncio.timeout(1.0):
                await self.context.account_info()
        except (NatsError, TimeoutError, UnavailableError):
            return False
        return True

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str], *, message_id: str) -> None:
        """Publish once, however often it takes: the same `Nats-Msg-Id` goes with every try.

        Raises:
            BusFullError: the stream takes no more.
            UnavailableError: no acknowledgement within the budget, or another stream than ours keeps the subject.
        """
        sent, stream = {**headers, "Nats-Msg-Id": message_id}, subject.split(".", 1)[0].upper()
        deadline, pause = wall() + _PUBLISH_BUDGET, 0.1
        while True:
            try:
                async with self._answered():
                    await self.context.publish(subject, body, headers=sent, stream=stream, timeout=_ANSWER_SECONDS)
            except (NoStreamResponseError, NatsTimeoutError, NoRespondersError, TimeoutError) as error:
                reason: Exception = error
            except (ServiceUnavailableError, ServerError, BadRequestError) as error:
                _refuse(error, stream)
                reason = error
            else:
                return
            if wall() + pause > deadline:
                detail = "JetStream acknowledged nothing in time; the message stays in the outbox."
                raise UnavailableError(detail) from reason
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def reconcile_streams(self, events: Iterable[Event], *, replicas: int) -> None:
        """Make the streams of these events exist as declared; safe to run in many processes at once."""
        for name in sorted({event.stream for event in events}):
            days, size = _LIMITS[name]
            config = api.StreamConfig(
                name=name,
                subjects=[f"{name.lower()}.>"],
                retention=api.RetentionPolicy.LIMITS,
                storage=api.StorageType.FILE,
                discard=api.DiscardPolicy.NEW,
                max_age=days * _DAY,
                max_bytes=size,
                max_msg_size=1 << 20,
                duplicate_window=1800,
                num_replicas=replicas,
                deny_delete=True,
                deny_purge=True,
            )
            await self._keep_stream(config)

    async def remove_streams(self, events: Iterable[Event]) -> None:
        """Remove the streams of these events, with all they hold."""
        for name in sorted({event.stream for event in events}):
            with contextlib.suppress(NotThereError):
                await self.context.delete_stream(name)

    async def _keep_stream(self, config: api.StreamConfig) -> None:
        try:
            kept = await self.context.add_stream(config)
        except APIError:
            assert config.name is not None
            require_kept((await self.context.stream_info(config.name)).config)
            # It exists with other settings: bring it to what is declared.
            kept = await self.context.update_stream(config)
        require_kept(kept.config)

    async def keep_consumer(self, stream: str, config: api.ConsumerConfig) -> None:
        """Make a durable consumer exist as declared; an existing one is updated, never silently kept.

        Raises:
            NoStreamError: there is no such stream yet.
            UnavailableError: a setting that cannot be changed differs; give the consumer a new name.
        """
        try:
            await self.context.add_consumer(stream, config)
        except APIError as error:
            if error.err_code == _NO_STREAM:
                detail = f"Stream {stream} is not there yet: the service {stream.lower()} makes it."
                raise NoStreamError(detail) from error
            if error.err_code == _DELIVER_POLICY_FIXED:
                detail = f"Consumer {config.durable_name} exists with settings that cannot change; rename it."
                raise UnavailableError(detail) from error
            raise

    def bind(self, stream: str, durable: str) -> Pull:
        """A pull on an existing durable consumer."""
        return Pull(self._connected(), stream, durable)

    def _connected(self) -> Client:
        if self._client is None:
            detail = "The bus is not connected."
            raise UnavailableError(detail)
        return self._client

    async def pending(self, stream: str, durables: Collection[str]) -> dict[str, tuple[int, int]]:
        """By consumer: messages of a stream not yet delivered to it, and delivered but not yet acknowledged.

        Raises:
            UnavailableError: the broker is away, or has no leader, or a consumer is still to be made.
        """
        found = {
            told["name"]: (told.get("num_pending", 0), told.get("num_ack_pending", 0))
            for told in await self._consumers_of(stream)
            if told["name"] in durables
        }
        if len(found) < len(set(durables)):
            detail = f"Consumers of stream {stream} are still to be made."
            raise UnavailableError(detail)
        return found

    async def consumers(self, stream: str) -> list[ConsumerState]:
        """Every consumer of a stream, whoever made it.

        Raises:
            NoStreamError: there is no such stream.
            UnavailableError: the broker is away, or has no leader.
        """
        return [
            ConsumerState(
                name=info.name,
                filters=tuple(info.config.filter_subjects or filter(None, [info.config.filter_subject])),
                waiting=(info.num_pending or 0) + (info.num_ack_pending or 0),
                created=info.created,
                from_start=info.config.deliver_policy == api.DeliverPolicy.ALL,
            )
            for info in map(api.ConsumerInfo.from_response, await self._consumers_of(stream))
        ]

    async def _consumers_of(self, stream: str) -> list[dict[str, Any]]:
        """As the server tells them: the client makes an object of each setting of each, which takes longer than asking.

        One question for a page of consumers: one for each would keep the server busy with nothing else.
        """
        client = self._connected()
        found: list[dict[str, Any]] = []
        while True:
            asked = orjson.dumps({"offset": len(found)})
            try:
                answer = await client.request(f"$JS.API.CONSUMER.LIST.{stream}", asked, timeout=_MANAGE_SECONDS)
            except (NatsError, TimeoutError) as error:
                raise UnavailableError(_SILENT) from error
            told = orjson.loads(answer.data)
            if told.get("error", {}).get("err_code") == _NO_STREAM:
                detail = f"Stream {stream} is not there: make it with `wugan streams`."
                raise NoStreamError(detail)
            if "error" in told:
                raise UnavailableError(_SILENT)
            page: list[dict[str, Any]] = told["consumers"] or []
            found += page
            if len(page) < _PAGE:
                return found

    async def close(self) -> None:
        """Send what is buffered and close; consumers must have been stopped before."""
        self._closing = True
        if self._client and not self._client.is_closed:
            # Not drain: it would have pulls take more messages, which nobody handles any more.
            with contextlib.suppress(NatsError, TimeoutError, OSError):
                await self._client.flush(timeout=2)
            await self._client.close()
