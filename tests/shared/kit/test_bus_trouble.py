"""What the bus does when the broker refuses, falls silent or dies half-way, and when a message kills who handles it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.contracts.events import BATCH_COMPLETED
from shared.kit.bus import Bus, Consumers, Message, PoisonError, Subscription
from shared.kit.bus.lives import DEATHS, LAST_TRIES, Lives
from shared.kit.bus.pull import Pull, PullBrokenError
from shared.kit.bus.watch import SECONDS, Watch
from shared.kit.clock import wall
from shared.kit.db import Database, WriteTx
from shared.kit.inbox import list_dead_letters
from shared.kit.problems import UnavailableError
from tests.shared.kit.test_bus import batch

pytestmark = [pytest.mark.db, pytest.mark.bus]
DURABLE = f"kit-{BATCH_COMPLETED.name.replace('.', '-')}"
INFO = b'INFO {"server_id":"x","version":"2.12.3","max_payload":1048576,"headers":true,"proto":1}\r\n'


# ---- connecting and saying ---------------------------------------------------------------------------------------


@asynccontextmanager
async def dying_server() -> AsyncIterator[str]:
    """A server that serves one connection and refuses every other one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.close()
        writer.write(INFO)
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_server_that_dies_right_after_it_has_answered_does_not_hold_the_start_for_ever():
    ended: list[bool] = []
    async with asyncio.timeout(20), dying_server() as url:
        bus = Bus(url, name="test", on_closed=lambda: ended.append(True))
        with pytest.raises(UnavailableError, match="NATS does not answer"):
            await bus.connect(attempts=2, seconds=0, within=0.2)
    assert not ended, "a connection that never stood ends no process"


async def test_another_stream_cannot_acknowledge_in_place_of_ours(own_nats):
    bus = Bus(own_nats.nats_url(), name="test")
    await bus.connect()
    await bus.context.add_stream(name="EVERYTHING", subjects=["ingest.>"])
    with pytest.raises(UnavailableError, match="Another stream than INGEST"):
        await bus.publish(BATCH_COMPLETED.name, b"{}", {}, message_id=str(uuid4()))
    assert (await bus.context.stream_info("EVERYTHING")).state.messages == 0
    await bus.context.delete_stream("EVERYTHING")
    await bus.reconcile_streams([BATCH_COMPLETED], replicas=1)
    await bus.publish(BATCH_COMPLETED.name, b"{}", {}, message_id=str(uuid4()))
    assert (await bus.context.stream_info("INGEST")).state.messages == 1
    await bus.close()


# ---- pulling -----------------------------------------------------------------------------------------------------


@dataclass
class Refusing:
    """A connection to a server that answers each request with one status, at once; the third is left unanswered."""

    status: str
    description: str
    asked: int = 0
    stats: dict[str, int] = field(default_factory=lambda: {"reconnects": 0})
    _tell: Callable[[Any], Awaitable[None]] | None = None

    def new_inbox(self) -> str:
        return "_INBOX.x"

    async def subscribe(self, _inbox: str, *, cb: Callable[[Any], Awaitable[None]], **_options: object) -> "Refusing":
        self._tell = cb
        return self

    async def publish(self, _subject: str, _body: bytes, reply: str = "") -> None:
        self.asked += 1
        headers = {"Status": self.status, "Description": self.description}
        if self.asked < 3:
            assert self._tell is not None
            await self._tell(SimpleNamespace(headers=headers, reply=""))


@pytest.mark.parametrize(
    ("status", "description", "asked"),
    [
        ("409", "Exceeded MaxWaiting", 1),
        ("409", "Consumer is push based", 1),
        ("400", "Bad Request", 1),
        ("408", "Request Timeout", 3),
        ("404", "No Messages", 3),
        ("409", "Batch Completed", 3),
    ],
)
async def test_who_is_refused_waits_before_he_asks_again_and_an_ordinary_end_is_no_refusal(status, description, asked):
    server = Refusing(status, description)
    pull = Pull(cast(Client, server), "INGEST", DURABLE)
    for _ in range(2):
        assert await pull.take(1, 0.01) == []
    assert server.asked == asked
    pull._not_before = wall() - 0.01
    await pull.take(1, 0.01)
    assert server.asked == max(2, asked), "then he asks again"


async def test_who_is_refused_asks_a_new_connection_at_once():
    server = Refusing("409", "Server Shutdown")
    pull = Pull(cast(Client, server), "INGEST", DURABLE)
    await pull.take(1, 0.01)
    server.stats["reconnects"] += 1
    await pull.take(1, 0.01)
    assert server.asked == 2


@pytest.mark.parametrize(("status", "description"), [("503", ""), ("409", "Consumer Deleted")])
async def test_a_consumer_that_is_gone_is_bound_anew(status, description):
    pull = Pull(cast(Client, Refusing(status, description)), "INGEST", DURABLE)
    with pytest.raises(PullBrokenError):
        await pull.take(1, 0.01)


def test_a_consumer_is_deaf_that_hears_nothing_for_a_minute_beside_messages():
    watch = Watch()
    watch.look({"a": 3, "b": 0}, 100.0)
    watch.look({"a": 3, "b": 2}, 140.0)
    assert not watch.is_deaf("a", 100.0 + SECONDS - 1)
    assert not watch.is_deaf("b", 100.0 + SECONDS)
    assert watch.is_deaf("a", 100.0 + SECONDS)
    assert not watch.is_deaf("a", 100.0 + SECONDS), "once; then it gets as long again"
    with watch.at_work("b"):
        watch.look({"b": 2}, 150.0)
        assert not watch.is_deaf("b", 1_000.0)
    watch.look({"b": 2}, 1_000.0)
    watch.look({"b": 0}, 1_030.0)
    assert not watch.is_deaf("b", 2_000.0)


@dataclass
class Deaf:
    """A broker that says messages wait and gives none; each binding is counted."""

    bound: int = 0
    kept: int = 0

    async def keep_consumer(self, _stream: str, _config: object) -> None:
        self.kept += 1

    def bind(self, _stream: str, _durable: str) -> "Deaf":
        self.bound += 1
        return self

    async def take(self, _most: int, _seconds: float) -> list[Msg]:
        await asyncio.sleep(0.01)
        return []

    async def close(self) -> None:
        pass

    async def pending(self, _stream: str, durables: Any) -> dict[str, tuple[int, int]]:
        return dict.fromkeys(durables, (3, 0))


async def test_a_deaf_consumer_is_bound_anew(monkeypatch):
    async def nothing(_tx: WriteTx, _message: Message) -> None:
        pass

    broker, now = Deaf(), wall()
    consumers = Consumers(
        service="kit", bus=cast(Bus, broker), database=cast(Database, None),
        subscriptions=[Subscription(event=BATCH_COMPLETED, handler=nothing)],
    )  # fmt: skip
    await consumers.start()
    assert await consumers.lag() == {DURABLE: (3, 0)}
    await asyncio.sleep(0.1)
    assert broker.bound == 1
    monkeypatch.setattr("shared.kit.bus.consumer.wall", lambda: now + SECONDS + 5)
    async with asyncio.timeout(60):
        while broker.bound == 1:
            await asyncio.sleep(0.02)
    assert (broker.bound, broker.kept) == (2, 2)
    await consumers.stop()


# ---- who dies of what --------------------------------------------------------------------------------------------


async def test_a_message_that_was_given_back_elsewhere_is_never_parked_for_it(database):
    """Each life is a process: it sees the message first after many deliveries, waits a while, and is started anew."""
    place, event_id, delivered = ("durable", 7), uuid4(), DEATHS
    for _ in range(3 * LAST_TRIES):
        life = Lives(database)
        for _ in range(3):
            delivered += 1
            await life.take_up(place, event_id, delivered)
            await life.waits(place, event_id)


async def test_a_message_that_waits_for_days_in_one_process_is_never_parked_for_it(database):
    life, event_id = Lives(database), uuid4()
    for delivered in range(1, 5 * DEATHS):
        await life.take_up(("durable", 7), event_id, delivered)
        await life.waits(("durable", 7), event_id)


async def test_two_workers_share_a_message_that_waits(database):
    lives, event_id = (Lives(database), Lives(database)), uuid4()
    for delivered in range(1, 5 * DEATHS):
        life = lives[delivered % 7 == 0]
        await life.take_up(("durable", 7), event_id, delivered)
        await life.waits(("durable", 7), event_id)


@pytest.mark.parametrize("waited", [0, 500])
async def test_a_message_that_kills_its_process_each_time_is_parked_in_the_end(database, waited):
    place, event_id, deaths = ("durable", 7), uuid4(), 0
    before = Lives(database)
    for delivered in range(1, waited + 1):
        await before.take_up(place, event_id, delivered)
        await before.waits(place, event_id)
    with pytest.raises(PoisonError, match="died"):
        while deaths <= DEATHS + LAST_TRIES:
            await Lives(database).take_up(place, event_id, waited + deaths + 1)
            deaths += 1
    assert deaths == LAST_TRIES + (0 if waited else DEATHS)


@dataclass
class Raw:
    """A delivery, and how it ended."""

    delivered: int
    ended: list[str]
    event_id: UUID
    subject: str = BATCH_COMPLETED.name
    data: bytes = field(default_factory=lambda: batch(7).model_dump_json().encode())

    @property
    def headers(self) -> dict[str, str]:
        told = {"specversion": "1.0", "type": BATCH_COMPLETED.name, "source": "/x", "time": "2023-11-01T00:00:00Z"}
        return {f"ce-{name}": value for name, value in told.items()} | {"ce-id": str(self.event_id)}

    @property
    def metadata(self) -> SimpleNamespace:
        return SimpleNamespace(num_delivered=self.delivered, sequence=SimpleNamespace(stream=7))

    async def nak(self, delay: float) -> None:
        assert delay <= 30
        self.ended.append("back")

    async def ack_sync(self) -> None:
        self.ended.append("parked")


async def deliver(database: Database, raw: Raw, trouble: Callable[[], Exception | None]) -> None:
    """One delivery to a process that has just started."""

    async def handler(_tx: WriteTx, _message: Message) -> None:
        if error := trouble():
            raise error

    async def acknowledge(_raws: object) -> None:
        raw.ended.append("done")

    subscription = Subscription(event=BATCH_COMPLETED, handler=handler)
    consumers = Consumers(service="kit", bus=cast(Bus, None), database=database, subscriptions=[subscription])
    source = cast(Pull, SimpleNamespace(acknowledge=acknowledge))
    await consumers._handle(subscription, DURABLE, None, source, [cast(Msg, raw)])


@pytest.mark.parametrize("error", [UnavailableError("a peer is away"), RuntimeError("not yet")])
async def test_a_new_process_goes_on_with_what_has_waited_for_long(database, error):
    ended: list[str] = []
    event_id = uuid4()
    for number in range(2 * LAST_TRIES):
        await deliver(database, Raw(5_000 + number, ended, event_id), lambda: error)
    await deliver(database, Raw(6_000, ended, event_id), lambda: None)
    assert ended == ["back"] * (2 * LAST_TRIES) + ["done"]


async def test_a_killer_is_parked_whole_by_the_process_that_finds_the_notes_of_the_dead(database):
    class Killed(BaseException):
        """What no handler of errors sees."""

    ended: list[str] = []
    event_id = uuid4()
    for number in range(LAST_TRIES):
        with pytest.raises(Killed):
            await deliver(database, Raw(5_000 + number, ended, event_id), lambda: cast(Exception, Killed()))
    await deliver(database, Raw(6_000, ended, event_id), lambda: None)
    async with database.read() as tx:
        (letter,) = await list_dead_letters(tx)
    assert ended == ["parked"]
    assert (letter.event_id, letter.reason) == (event_id, "PoisonError after 1 tries")
