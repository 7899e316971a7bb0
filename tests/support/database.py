"""Fixtures: a service's migrated schema on a real PostgreSQL, rolled back or emptied after each test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from shared.kit import migrations
from shared.kit.db import Database, ReadTx, WriteTx, driver_of
from tests.support.servers import ServiceDatabases

_BEGIN = "SAVEPOINT step"
_KEEP = "RELEASE SAVEPOINT step"
_UNDO = f"ROLLBACK TO SAVEPOINT step; {_KEEP}"
"""Of what is a transaction elsewhere; each in one question, as most tests do little else than ask."""


class RolledBackDatabase(Database):
    """A database whose commits are savepoints within one transaction that never commits."""

    def __init__(self, url: str, *, schema: str) -> None:
        super().__init__(url, schema=schema, pool_size=2)
        self._one: AsyncConnection | None = None
        self._driver: asyncpg.Connection | None = None
        self._outer: asyncpg.transaction.Transaction | None = None
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Open the outer transaction."""
        if self._one is None:
            self._one = await self.engine.connect()
            self._driver = await driver_of(self._one)
        assert self._driver is not None
        self._outer = self._driver.transaction()
        await self._outer.start()

    async def roll_back(self) -> bool:
        """Undo everything; whether the connection is as good as new, and may serve the next test."""
        assert self._one is not None
        assert self._driver is not None
        assert self._outer is not None
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await self._outer.rollback()
            await self._driver.reset()
            return not self._turn.locked()
        return False

    @override
    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadTx]:
        assert self._one is not None
        assert self._driver is not None
        async with self._turn:
            await self._driver.execute(f"{_BEGIN}; SET LOCAL transaction_read_only = on")
            try:
                yield ReadTx(self._one, self._driver)
            finally:
                await self._driver.execute(_UNDO)

    @override
    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteTx]:
        assert self._one is not None
        assert self._driver is not None
        async with self._turn:
            await self._driver.execute(_BEGIN)
            tx = WriteTx(self._one, self._driver)
            try:
                yield tx
            except BaseException:
                await self._driver.execute(_UNDO)
                raise
            # A use case's ON COMMIT DROP tables would live until the outer transaction ends.
            await self._driver.execute(f"{_KEEP}; DISCARD TEMP")
        for told in tx.after_commit:
            told()

    @override
    async def at_once(self, sql: str, *args: object) -> list[asyncpg.Record]:
        async with self.write() as tx:
            return await tx.fetch(sql, *args)


_MIGRATED: set[tuple[str, str]] = set()
_IDLE: dict[tuple[str, str], list[RolledBackDatabase]] = {}
"""Connections between two tests: a new one for each costs more than most tests do."""


async def _give_back(place: tuple[str, str], database: RolledBackDatabase) -> None:
    if await database.roll_back():
        _IDLE[place].append(database)
    else:
        await database.close()


async def _migrated_url(databases: ServiceDatabases, service: str) -> str:
    url = databases.url(service)
    if (databases.name, service) not in _MIGRATED:
        await migrations.upgrade(service, url)
        _MIGRATED.add((databases.name, service))
    return url


@pytest.fixture
async def database_for(service_databases: ServiceDatabases) -> AsyncIterator[Callable[[str], object]]:
    """`await database_for("ingest")`: its migrated schema; whatever the test writes is rolled back."""
    async with AsyncExitStack() as stack:

        async def make(service: str) -> RolledBackDatabase:
            place = (service_databases.name, service)
            url = await _migrated_url(service_databases, service)
            idle = _IDLE.setdefault(place, [])
            database = idle.pop() if idle else RolledBackDatabase(url, schema=service)
            await database.begin()
            stack.push_async_callback(_give_back, place, database)
            return database

        yield make


@pytest.fixture
async def committing_database_for(service_databases: ServiceDatabases) -> AsyncIterator[Callable[[str], object]]:
    """As `database_for`, with real commits on many connections; the schema is emptied after the test."""
    async with AsyncExitStack() as stack:

        async def make(service: str) -> Database:
            url = await _migrated_url(service_databases, service)
            database = Database(url, schema=service)
            # By a connection of its own: a test that cancels its loops in the middle leaves broken ones.
            stack.push_async_callback(_empty, url, service)
            stack.push_async_callback(database.close)
            return database

        yield make


async def _empty(url: str, schema: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        # Of hundreds of tables and partitions a test writes a few, and emptying an empty one costs as much.
        written = await connection.fetch(
            "SELECT DISTINCT coalesce(pg_partition_root(oid), oid)::regclass::text AS name FROM pg_class "
            "WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' "
            "AND pg_relation_size(oid) > 0",
            schema,
        )
        if written:
            await connection.execute(f"TRUNCATE {', '.join(row['name'] for row in written)} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()
