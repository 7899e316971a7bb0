"""What was acknowledged and never handled is found in the databases and said again; what only waits is left alone."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from nats.js import api
from typer.testing import CliRunner, Result

from deploy import streams
from deploy.backup.place import BackupError
from deploy.backup.reconciling import GRACE, MOST_DAYS, Account, Books, Places, Told, places, reconcile
from deploy.cli import app
from deploy.local.clients import SERVICES
from deploy.local.stack import LocalStack
from shared.contracts.events import CASE_CONCLUDED, CaseConcluded
from shared.kit import inbox
from shared.kit.bus import Bus, Consumers, Message, NoStreamError, Subscription
from shared.kit.clock import FixedClock
from shared.kit.db import Database, WriteTx
from shared.kit.migrations import PLATFORM_TABLES
from shared.kit.outbox import Outbox, Relay
from shared.kit.settings import KitSettings
from tests.support.servers import Servers, ServiceDatabases, unused_name

pytestmark = [pytest.mark.db, pytest.mark.bus]
NOW = datetime(2023, 11, 1, tzinfo=UTC)
SPEAKER, HEARERS = "grid", ("ingest", "scoring")
INGEST, SCORING = (f"{hearer}-grid-case-concluded-v1" for hearer in HEARERS)


@dataclass(frozen=True, slots=True)
class Earlier:
    """Publishes as somebody did long ago: the broker does not take the same message for a double any more."""

    bus: Bus

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str], *, message_id: str) -> None:
        await self.bus.publish(subject, body, headers, message_id=f"earlier {message_id}")


@dataclass(kw_only=True)
class City:
    """One service that speaks and two that hear, with real servers and nothing but the plumbing's tables."""

    stack: LocalStack
    made: ServiceDatabases
    bus: Bus
    databases: dict[str, Database] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        """Each service by its own role, as in a cluster."""
        return Places(databases={each: self.made.url(each) for each in SERVICES}, nats_url=self.stack.nats_url())

    async def say(self, *, hours: float = 2, published: float | None = None) -> UUID:
        """One message, written and published so long ago."""
        fact = CaseConcluded(
            case_id=uuid4(), subject=uuid4(), kind="suspected_death", conclusion="unfounded", event_on=None, concluded_at=NOW,
            verified_by="a", concluded_by="b",
        )  # fmt: skip
        async with self.databases[SPEAKER].write() as tx:
            said = await Outbox(SPEAKER, FixedClock(NOW), asyncio.Event()).say(tx, CASE_CONCLUDED, fact)
        await Relay(self.databases[SPEAKER], Earlier(self.bus), asyncio.Event()).drain()
        await self.age(said, hours, hours if published is None else published)
        return said

    async def age(self, said: UUID, hours: float, published: float) -> None:
        async with self.databases[SPEAKER].write() as tx:
            await tx.run(
                "UPDATE outbox SET created_at = now() - make_interval(secs => $2), "
                "published_at = now() - make_interval(secs => $3) WHERE id = $1",
                said, hours * 3600, published * 3600,
            )  # fmt: skip

    async def make_consumer(
        self, durable: str, subject: str = CASE_CONCLUDED.name, policy: api.DeliverPolicy = api.DeliverPolicy.ALL
    ) -> None:
        config = api.ConsumerConfig(
            name=durable, durable_name=durable, filter_subject=subject, deliver_policy=policy
        )  # fmt: skip
        await self.bus.keep_consumer(subject.partition(".")[0].upper(), config)

    async def swallow(self, durable: str, count: int = 1, *, acknowledge: bool = True) -> None:
        """Have the broker believe that a service handled what it was given."""
        pull = self.bus.bind("GRID", durable)
        for _ in range(count):
            messages = await pull.take(1, 10)
            assert len(messages) == 1
            if acknowledge:
                await pull.acknowledge(messages)
        await pull.close()
        if acknowledge:
            await self.until_waiting("GRID", durable, 0)

    async def until_waiting(self, stream: str, durable: str, count: int) -> None:
        """The broker counts a little after it has answered."""
        async with asyncio.timeout(60):
            while [each.waiting for each in await self.bus.consumers(stream) if each.name == durable] != [count]:
                await asyncio.sleep(0.02)

    async def until_heard(self, durable: str) -> None:
        last = (await self.bus.context.stream_info("GRID")).state.last_seq
        async with asyncio.timeout(60):
            while (await self.bus.context.consumer_info("GRID", durable)).ack_floor.stream_seq < last:
                await asyncio.sleep(0.02)

    async def handled(self, hearer: str) -> list[UUID]:
        async with self.databases[hearer].read() as tx:
            return [UUID(bytes=row["event_id"].bytes) for row in await tx.fetch("SELECT event_id FROM effect")]

    @asynccontextmanager
    async def hearing(self, *hearers: str) -> AsyncIterator[None]:
        """Services that handle all they are given, until there is nothing left."""
        started = []
        for hearer in hearers:
            consumers = Consumers(
                service=hearer, bus=self.bus, database=self.databases[hearer],
                subscriptions=[Subscription(event=CASE_CONCLUDED, handler=_handle)],
            )  # fmt: skip
            await consumers.start()
            started.append(consumers)
        try:
            yield
            for hearer in hearers:
                await self.until_heard(f"{hearer}-grid-case-concluded-v1")
        finally:
            await asyncio.gather(*(consumers.stop() for consumers in started))

    async def look(self, *, days: int = 2) -> Books:
        return await reconcile(self.places, days=days)

    async def account(self, consumer: str, *, days: int = 2) -> Account:
        return (await self.look(days=days)).accounts[consumer]

    async def command(self, *words: str) -> Result:
        """The command with an administrator's URL, as on one machine."""
        told = {"WUGAN_DATABASE_URL": self.made.url(), "WUGAN_NATS_URL": self.stack.nats_url()}
        return await asyncio.to_thread(CliRunner().invoke, app, ["reconcile", *words], env=told)


async def _handle(tx: WriteTx, message: Message) -> None:
    await tx.run("INSERT INTO effect VALUES ($1)", message.id)


@pytest.fixture(scope="module")
def made(servers: Servers) -> Iterator[ServiceDatabases]:
    database = servers.create_database(unused_name())
    yield database
    database.drop()


@pytest.fixture
async def city(own_nats: LocalStack, made: ServiceDatabases) -> AsyncIterator[City]:
    await streams.make(own_nats.nats_url(), replicas=1)
    bus = Bus(own_nats.nats_url(), name="test")
    await bus.connect()
    city = City(stack=own_nats, made=made, bus=bus)
    for service in (SPEAKER, *HEARERS):
        city.databases[service] = Database(made.url(service), schema=service, pool_size=2)
        async with city.databases[service].write() as tx:
            for statement in (*PLATFORM_TABLES, "CREATE TABLE {schema}.effect (event_id uuid)"):
                await tx.run(statement.format(schema=service))
    yield city
    for database in city.databases.values():
        async with database.write() as tx:
            await tx.run("DROP TABLE outbox, inbox, dead_letter, effect")
        await database.close()
    await bus.close()


async def test_of_what_everybody_heard_nothing_is_missing(city):
    async with city.hearing(*HEARERS):
        for _ in range(3):
            await city.say()
    other = "ingest-grid-visit-concluded-v1"
    await city.make_consumer(other, "grid.visit.concluded.v1")
    books = await city.look()
    heard = {each: Account(consumer=each, said=3, heard=3) for each in (INGEST, SCORING)}
    assert books.accounts == {**heard, other: Account(consumer=other)}
    assert books.lost == {}
    said = await city.command()
    assert (said.exit_code, "nothing is missing" in said.output) == (0, True)


async def test_what_was_acknowledged_and_never_handled_is_found_said_again_and_handled_once(city):
    async with city.hearing(*HEARERS):
        first = await city.say()
    async with city.hearing("scoring"):
        second = await city.say()
    await city.swallow(INGEST)
    books = await city.look()
    assert {speaker: set(lost) for speaker, lost in books.lost.items()} == {SPEAKER: {second}}
    assert books.accounts[INGEST] == Account(consumer=INGEST, said=2, heard=1, missing=1)
    assert books.accounts[SCORING] == Account(consumer=SCORING, said=2, heard=2)

    found = await city.command()
    assert found.exit_code == 1
    assert "`wugan reconcile --again`" in found.output
    assert (await city.command()).exit_code == 1  # looking changes nothing
    again = await city.command("--again")
    assert (again.exit_code, "grid: 1 messages are said again" in again.output) == (0, True)

    relay = Relay(city.databases[SPEAKER], city.bus, asyncio.Event())
    async with city.hearing(*HEARERS):
        assert await relay.drain() == 1
    for hearer in HEARERS:
        assert sorted(await city.handled(hearer)) == sorted([first, second])
    assert (await city.bus.context.stream_info("GRID")).state.messages == 3  # it did reach both a second time
    await city.age(second, 2, 2)
    assert (await city.look()).lost == {}
    assert (await city.account(INGEST)).heard == 2


@pytest.mark.parametrize("given", [False, True])
async def test_a_consumer_with_a_backlog_is_behind_and_misses_nothing(city, given):
    await city.make_consumer(INGEST)
    await city.say()
    if given:
        await city.swallow(INGEST, acknowledge=False)
    await city.until_waiting("GRID", INGEST, 1)
    books = await city.look()
    assert (books.accounts, books.lost) == ({INGEST: Account(consumer=INGEST, said=1, waiting=1)}, {})
    said = await city.command()
    assert (said.exit_code, "behind: 1 wait" in said.output) == (0, True)


async def test_what_is_parked_or_was_discarded_is_not_missing(city):
    await city.make_consumer(INGEST)
    parked = await city.say()
    await city.swallow(INGEST)
    assert (await city.account(INGEST)).missing == 1
    async with city.databases["ingest"].write() as tx:
        await inbox.park(tx, consumer=INGEST, event_id=parked, subject="s", headers={}, body=b"", reason="bad")
        (letter,) = await inbox.list_dead_letters(tx)
    assert await city.account(INGEST) == Account(consumer=INGEST, said=1, parked=1)
    async with city.databases["ingest"].write() as tx:
        await inbox.discard(tx, letter.id)
    assert await city.account(INGEST) == Account(consumer=INGEST, said=1, heard=1)
    async with city.databases["ingest"].write() as tx:
        assert not await inbox.claim(tx, INGEST, parked)


async def test_only_what_is_neither_under_way_nor_older_than_asked_is_looked_for(city):
    await city.make_consumer(INGEST)
    for hours, published in ((0.5, 0.5), (5, 0.5), (50, 50)):
        await city.say(hours=hours, published=published)
    await city.swallow(INGEST, 3)
    assert (await city.account(INGEST)).said == 0
    assert (await city.account(INGEST, days=3)).missing == 1


@pytest.mark.parametrize(
    ("policy", "missing"), [(api.DeliverPolicy.ALL, 1), (api.DeliverPolicy.NEW, 0), (api.DeliverPolicy.LAST, 0)]
)
async def test_who_began_to_listen_later_has_missed_only_what_he_was_to_be_given(city, policy, missing):
    await city.say()
    await city.make_consumer(INGEST, policy=policy)
    if policy != api.DeliverPolicy.NEW:
        await city.swallow(INGEST)
    assert (await city.account(INGEST)).missing == missing


async def test_shards_are_told_together_and_strangers_not_at_all(city):
    event, hearer = "scoring.suspicion.raised.v1", "grid-scoring-suspicion-raised-v1"
    await city.make_consumer("somebody-else", f"{event}.3")
    for shard in "3a":
        await city.make_consumer(f"{hearer}-{shard}", f"{event}.{shard}")
    async with city.databases["scoring"].write() as tx:
        said = await tx.fetch(
            "INSERT INTO outbox (id, subject, headers, body, created_at, published_at) "
            "SELECT gen_random_uuid(), $1 || shard, '{}', '', now() - interval '2 hours', now() - interval '2 hours' "
            "FROM unnest($2::text[]) AS shard RETURNING id",
            f"{event}.", list("33ab"),
        )  # fmt: skip
    async with city.databases["grid"].write() as tx:
        for row, consumer in zip(said[:3], (f"{hearer}-3", f"{hearer}-a", hearer), strict=True):
            await inbox.claim(tx, consumer, row["id"])
    books = await city.look()
    assert books.accounts == {hearer: Account(consumer=hearer, said=3, heard=1, missing=2)}
    assert list(books.lost["scoring"]) == [row["id"] for row in said[1:3]]


async def test_a_hearer_whose_database_is_empty_is_told(city):
    await city.make_consumer("notify-grid-case-concluded-v1")
    with pytest.raises(BackupError, match=r"database of notify has no inbox: .*`wugan migrate`"):
        await city.look()


async def test_a_stream_that_is_not_there_is_told(city):
    await city.bus.context.delete_stream("SCORING")
    with pytest.raises(NoStreamError, match="wugan streams"):
        await city.look()
    said = await city.command()
    assert (said.exit_code, "wugan streams" in said.stderr) == (1, True)


async def test_it_asks_the_servers_of_the_environment_or_of_the_running_stack(own_nats, tmp_path, monkeypatch):
    def tell(**told: str) -> Told:
        for name in Told.model_fields:
            monkeypatch.delenv(f"WUGAN_{name.upper()}", raising=False)
        for name, value in told.items():
            monkeypatch.setenv(f"WUGAN_{name.upper()}", value)
        return Told()

    root = own_nats.folder.root
    own = {f"database_url_{each}": f"postgresql://{each}@host/db?sslmode=require" for each in SERVICES}
    where = places(root, tell(**own))
    assert where.nats_url == own_nats.nats_url()
    assert where.databases["grid"] == "postgresql://grid@host:5432/db?sslmode=require"
    whole = "postgresql://all@host:5432/one"
    where = places(root, tell(database_url=whole, database_url_grid="postgresql://grid@other:5432/two"))
    assert where.databases == dict.fromkeys(SERVICES, whole) | {"grid": "postgresql://grid@other:5432/two"}
    with pytest.raises(BackupError, match="start the stack first"):
        places(root, tell(**{name: url for name, url in own.items() if name != "database_url_grid"}))
    nowhere = tmp_path / "nowhere"
    with pytest.raises(BackupError, match=r"No NATS runs in .*WUGAN_NATS_URL"):
        places(nowhere, tell(**own))
    where = places(nowhere, tell(**own, nats_url="nats://operator@host:1", nats_ca_file="ca.crt"))
    assert (where.nats_url, where.ca_file) == ("nats://operator@host:1", Path("ca.crt"))
    closed = Places(databases=dict.fromkeys(SERVICES, "postgresql://u@127.0.0.1:1/x"), nats_url=own_nats.nats_url())
    with pytest.raises(BackupError, match=r"database of ingest lets nobody in .*: check WUGAN_DATABASE_URL"):
        await reconcile(closed)


async def test_how_far_it_looks_fits_what_is_kept(city):
    (kept,) = [each.ge for each in KitSettings.model_fields["outbox_days"].metadata if hasattr(each, "ge")]
    assert kept >= MOST_DAYS
    for name in SERVICES:
        config = (await city.bus.context.stream_info(name.upper())).config
        assert config.max_age >= MOST_DAYS * 86_400
        assert config.duplicate_window < GRACE.total_seconds()
    assert CliRunner().invoke(app, ["reconcile", "--days", str(MOST_DAYS + 1)]).exit_code == 2
