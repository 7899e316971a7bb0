"""Saying and hearing over the real broker and the real database: once, in order, whatever dies in between."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.contracts.events import BATCH_COMPLETED, EVENTS, EVIDENCE_ACCEPTED, BatchCompleted
from shared.contracts.vocabulary import SHARDS
from shared.kit import arrow, inbox
from shared.kit.bus import Bus, Consumers, Message, PoisonError, Subscription
from shared.kit.bus.consumer import StillBadError
from shared.kit.clock import FixedClock
from shared.kit.db import Database, WriteTx
from shared.kit.outbox import Outbox, Relay
from shared.kit.problems import UnavailableError
from shared.kit.telemetry import OUTBOX_OLDEST, OUTBOX_PENDING

pytestmark = [pytest.mark.db, pytest.mark.bus]
NOW = datetime(2023, 11, 1, tzinfo=UTC)
ATTRIBUTES = {"source": "s", "department": "d", "strength": "weak", "received_at": "2023-11-01T00:00:00+00:00"}


def batch(number: int) -> BatchCompleted:
    return BatchCompleted(
        batch_id=uuid4(), batch_no=number, source="s", department="d", sha256="0", rows=1, accepted=1, duplicate=0,
        out_of_window=0, quarantined=0, quarantine_reasons={}, received_at=datetime(2023, 11, 1, tzinfo=UTC),
    )  # fmt: skip


def rows(count: int, seed: int = 0) -> pa.Table:
    subjects = np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)
    return pa.table(
        {
            "subject": arrow.subject_array(subjects),
            "occurred_on": pa.array(np.zeros(count, dtype=np.int32), pa.date32()),
            "kind": ["seen"] * count,
            "polarity": ["positive"] * count,
            "identity": ["full"] * count,
            "evidence_id": pa.array(range(count), pa.int64()),
        }
    )


@dataclass
class Ear:
    """Collects what is heard; its database effect is a row, so that rolled back effects do not count."""

    heard: list[int] = field(default_factory=list)
    fails: Callable[[int, int], Exception | None] = lambda _number, _times: None
    times: dict[int, int] = field(default_factory=dict)

    async def on_batch(self, tx: WriteTx, message: Message) -> None:
        number = message.fact(BatchCompleted).batch_no
        self.times[number] = self.times.get(number, 0) + 1
        await tx.run("INSERT INTO effect VALUES ($1)", number)
        if error := self.fails(number, self.times[number]):
            raise error
        self.heard.append(number)


@pytest.fixture
async def outbox(database: Database) -> Outbox:
    async with database.write() as tx:
        await tx.run("CREATE TABLE effect (number bigint)")
    return Outbox("kit", FixedClock(datetime(2023, 11, 1, tzinfo=UTC)), asyncio.Event())


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(bus: Bus, database: Database, ear: Ear, service: str) -> AsyncIterator[Consumers]:
    made = Consumers(
        service=service, bus=bus, database=database,
        subscriptions=[Subscription(event=BATCH_COMPLETED, handler=ear.on_batch)],
    )  # fmt: skip
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def relaying(bus: Bus, database: Database, outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(Relay(database, bus, outbox.wake).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def effects(database: Database) -> list[int]:
    async with database.read() as tx:
        return [row["number"] for row in await tx.fetch("SELECT number FROM effect ORDER BY number")]


def name() -> str:
    return f"t{uuid4().hex[:10]}"


async def test_what_is_rolled_back_is_never_said(database, bus, outbox):
    ear, mine = Ear(), 1_000_001
    async with relaying(bus, database, outbox), listening(bus, database, ear, name()):
        with pytest.raises(RuntimeError):
            async with database.write() as tx:
                await outbox.say(tx, BATCH_COMPLETED, batch(mine))
                raise RuntimeError
        async with database.write() as tx:
            await outbox.say(tx, BATCH_COMPLETED, batch(mine + 1))
        await until(lambda: mine + 1 in ear.heard)
    assert mine not in ear.heard


async def test_a_failing_handler_is_tried_again_and_its_effect_stays_single(database, bus, outbox):
    ear = Ear(fails=lambda number, times: RuntimeError("not yet") if number == 2_000_001 and times < 3 else None)
    async with relaying(bus, database, outbox), listening(bus, database, ear, name()):
        async with database.write() as tx:
            await outbox.say(tx, BATCH_COMPLETED, batch(2_000_001))
        await until(lambda: 2_000_001 in ear.heard)
    assert ear.times[2_000_001] == 3
    assert (await effects(database)).count(2_000_001) == 1


async def test_poison_is_parked_whole_and_redriven_once(database, bus, outbox):
    service = name()
    cured: list[bool] = []
    ear = Ear(fails=lambda number, _times: PoisonError("bad") if number == 3_000_001 and not cured else None)
    async with relaying(bus, database, outbox), listening(bus, database, ear, service) as consumers:
        async with database.write() as tx:
            for number in (3_000_001, 3_000_002):
                await outbox.say(tx, BATCH_COMPLETED, batch(number))
        await until(lambda: 3_000_002 in ear.heard)  # those behind it are served
        async with database.read() as tx:
            letters = await inbox.list_dead_letters(tx)
            assert await inbox.list_dead_letters(tx, after=letters[-1].id) == []
        assert [letter.reason for letter in letters] == ["PoisonError after 1 tries"]
        with pytest.raises(StillBadError, match="PoisonError"):
            await consumers.redrive(letters[0])
        assert await _parked(database) == letters
        cured.append(True)
        assert await consumers.redrive(letters[0])
        assert 3_000_001 in ear.heard
        async with database.read() as tx:
            assert await inbox.list_dead_letters(tx) == []
    assert (await effects(database)).count(3_000_001) == 1


async def test_a_message_published_twice_has_one_effect(database, bus, outbox):
    ear = Ear()
    async with listening(bus, database, ear, name()):
        async with database.write() as tx:
            event_id = await outbox.say(tx, BATCH_COMPLETED, batch(4_000_001))
        async with database.read() as tx:
            row = (await tx.fetch("SELECT subject, headers::text AS headers, body FROM outbox"))[0]
        for message_id in (str(event_id), str(uuid4())):  # the second one passes the broker's own window
            await bus.publish(row["subject"], row["body"], json.loads(row["headers"]), message_id=message_id)
        async with database.write() as tx:
            await outbox.say(tx, BATCH_COMPLETED, batch(4_000_002))
        await Relay(database, bus, outbox.wake).drain()
        await until(lambda: 4_000_002 in ear.heard)
    assert (await effects(database)).count(4_000_001) == 1


@dataclass(slots=True)
class EvidenceEar:
    """Hears the tables of one source, for others speak on the same stream; `bad` is a shard whose message is poison."""

    source: str = field(default_factory=name)
    bad: str | None = None
    subjects: dict[str, list[bytes]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    @property
    def attributes(self) -> dict[str, str]:
        return ATTRIBUTES | {"source": self.source}

    async def on_evidence(self, tx: WriteTx, message: Message) -> None:
        await self.on_much_evidence(tx, [message])
        self.sizes.pop()

    async def on_much_evidence(self, _tx: WriteTx, messages: Sequence[Message]) -> None:
        self.sizes.append(len(messages))
        mine = [each for each in messages if each.attributes["source"] == self.source]
        if self.bad and any(each.shard == self.bad for each in mine):
            raise PoisonError("bad")
        for each in mine:
            self.subjects.setdefault(each.shard or "", []).extend(each.table().column("subject").to_pylist())


@asynccontextmanager
async def hearing_evidence(bus: Bus, database: Database, ear: EvidenceEar, together: int) -> AsyncIterator[Consumers]:
    listening = Subscription(
        event=EVIDENCE_ACCEPTED, handler=ear.on_evidence, many=ear.on_much_evidence, together=together
    )
    consumers = Consumers(service=name(), bus=bus, database=database, subscriptions=[listening])
    await consumers.start()
    try:
        yield consumers
    finally:
        await consumers.stop()


@pytest.mark.parametrize("together", [1, 8])
async def test_a_table_arrives_whole_by_its_shards(database, bus, outbox, together):
    table, ear = rows(5_000, seed=5), EvidenceEar()
    async with hearing_evidence(bus, database, ear, together), relaying(bus, database, outbox):
        async with database.write() as tx:
            assert await outbox.say_table(tx, EVIDENCE_ACCEPTED, table, ear.attributes) == 16
        await until(lambda: sum(map(len, ear.subjects.values())) >= 5_000)
    heard = list(itertools.chain.from_iterable(ear.subjects.values()))
    assert sorted(heard) == sorted(table.column("subject").to_pylist())
    assert all(each.hex()[0] == shard for shard, some in ear.subjects.items() for each in some)
    assert set(ear.subjects) == set(SHARDS)
    assert bool(ear.sizes) == (together > 1)
    assert max(ear.sizes, default=together) <= together


@pytest.mark.parametrize("together", [1, 8])
async def test_a_small_table_arrives_in_one_message(database, bus, outbox, together):
    table, ear = rows(300, seed=5), EvidenceEar()
    async with hearing_evidence(bus, database, ear, together), relaying(bus, database, outbox):
        async with database.write() as tx:
            assert await outbox.say_table(tx, EVIDENCE_ACCEPTED, table, ear.attributes) == 1
        await until(lambda: bool(ear.subjects))
    assert ear.subjects == {"": table.column("subject").to_pylist()}


async def test_of_messages_heard_together_only_the_bad_one_is_parked_and_redriven(database, bus, outbox):
    table, ear = rows(5_000, seed=6), EvidenceEar(bad="7")
    async with hearing_evidence(bus, database, ear, together=32) as consumers:
        async with relaying(bus, database, outbox):
            async with database.write() as tx:
                await outbox.say_table(tx, EVIDENCE_ACCEPTED, table, ear.attributes)
            await until(lambda: len(ear.subjects) == 15)
        async with asyncio.timeout(50):
            while not (letters := await _parked(database)):
                await asyncio.sleep(0.02)
        assert [letter.subject for letter in letters] == [f"{EVIDENCE_ACCEPTED.name}.7"]
        ear.bad = None
        assert await consumers.redrive(letters[0])
    assert set(ear.subjects) == set(SHARDS)
    assert sum(map(len, ear.subjects.values())) == 5_000


async def _parked(database: Database) -> list[inbox.DeadLetter]:
    async with database.read() as tx:
        return await inbox.list_dead_letters(tx)


async def test_a_garbled_body_is_parked_not_retried(database, own_nats):
    ear, service = Ear(), name()
    bus = Bus(own_nats.nats_url(), name="test")  # a broker of its own: garbage stays in a stream
    await bus.connect()
    await bus.reconcile_streams(EVENTS, replicas=1)
    headers = {
        "ce-specversion": "1.0", "ce-id": str(uuid4()), "ce-type": BATCH_COMPLETED.name,
        "ce-source": "/wugan/x", "ce-time": "2023-11-01T00:00:00+00:00",
    }  # fmt: skip
    async with listening(bus, database, ear, service) as consumers:
        await bus.publish(BATCH_COMPLETED.name, b"{not json", headers, message_id=str(uuid4()))
        await bus.publish(BATCH_COMPLETED.name, b"{}", {"no": "cloudevent"}, message_id=str(uuid4()))

        async with asyncio.timeout(50):
            while True:
                async with database.read() as tx:
                    letters = await inbox.list_dead_letters(tx)
                if len(letters) == 2:
                    break
                await asyncio.sleep(0.05)
        for letter in letters:
            with pytest.raises(StillBadError, match="still cannot be handled"):
                await consumers.redrive(letter)
        assert len(await _parked(database)) == 2
    assert {letter.reason.split()[0] for letter in letters} == {"ValidationError", "PoisonError"}
    assert ear.heard == []
    await bus.close()


async def test_the_broker_never_stops_delivering_by_itself(database, bus):
    """A message is parked by us, whole; at a bound of the server's it would stop without a word."""
    service = name()
    async with listening(bus, database, Ear(), service):
        info = await bus.context.consumer_info(
            BATCH_COMPLETED.stream, f"{service}-{BATCH_COMPLETED.name.replace('.', '-')}"
        )
    assert info.config.max_deliver == -1


async def test_one_relay_at_a_time_and_the_next_takes_over(database, bus, outbox):
    ear = Ear()
    async with listening(bus, database, ear, name()):
        first = asyncio.create_task(Relay(database, bus, outbox.wake).run())
        await asyncio.sleep(0.2)
        second = asyncio.create_task(Relay(database, bus, asyncio.Event()).run())
        async with database.write() as tx:
            await outbox.say(tx, BATCH_COMPLETED, batch(7_000_001))
        await until(lambda: 7_000_001 in ear.heard)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        async with database.write() as tx:
            await outbox.say(tx, BATCH_COMPLETED, batch(7_000_002))
        await until(lambda: 7_000_002 in ear.heard)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    assert sorted(n for n in await effects(database) if n // 1_000_000 == 7) == [7_000_001, 7_000_002]


async def test_who_no_longer_leads_does_not_go_on_telling_of_what_waited(database, bus):
    OUTBOX_PENDING.set(5)
    OUTBOX_OLDEST.set(500)
    async with database.engine.connect() as leading:
        await leading.execute(sa.select(sa.func.pg_advisory_lock(sa.func.hashtext(f"relay:{database.schema}"))))
        await Relay(database, bus, asyncio.Event())._lead()
    assert REGISTRY.get_sample_value("outbox_oldest_age_seconds") == REGISTRY.get_sample_value("outbox_pending") == 0


async def test_a_killed_broker_loses_nothing(database, own_nats):
    bus = Bus(own_nats.nats_url(), name="test")
    await bus.connect()
    await bus.reconcile_streams(EVENTS, replicas=1)
    outbox = Outbox("kit", FixedClock(datetime(2023, 11, 1, tzinfo=UTC)), asyncio.Event())
    async with database.write() as tx:
        await tx.run("CREATE TABLE IF NOT EXISTS effect (number bigint)")
    ear = Ear()
    async with relaying(bus, database, outbox), listening(bus, database, ear, "own"):
        for number in range(8_000_000, 8_000_030):
            if number == 8_000_010:
                own_nats.kill("nats")
            async with database.write() as tx:
                await outbox.say(tx, BATCH_COMPLETED, batch(number))
        await until(lambda: len(ear.heard) == 30, seconds=40)
    await bus.close()
    assert await effects(database) == list(range(8_000_000, 8_000_030))
    assert ear.heard == sorted(ear.heard), "one subject keeps its order"


async def test_who_starts_before_his_speaker_waits_for_his_stream_and_then_hears(database, own_nats, outbox):
    ear = Ear()
    bus = Bus(own_nats.nats_url(), name="test")
    await bus.connect()
    with capture_logs() as said:
        async with listening(bus, database, ear, "early") as consumers, relaying(bus, database, outbox):
            # Not quiet: nobody knows what there will be to hear.
            with pytest.raises(UnavailableError):
                await consumers.pending()
            await bus.reconcile_streams([BATCH_COMPLETED], replicas=1)
            with pytest.raises(UnavailableError, match="still to be made"):
                await bus.pending(BATCH_COMPLETED.stream, {"nobody-made-this"})
            async with database.write() as tx:
                await outbox.say(tx, BATCH_COMPLETED, batch(9_000_001))
            await until(lambda: ear.heard == [9_000_001])
            while await consumers.pending() != (0, 0):  # heard comes before acknowledged
                await asyncio.sleep(0.01)
    await bus.close()
    assert [each["event"] for each in said if each["log_level"] == "warning"] == []  # the usual first start, no trouble
