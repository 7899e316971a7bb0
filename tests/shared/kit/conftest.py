"""A schema with the plumbing's own tables, for tests of outbox, inbox and bus."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from shared.contracts.events import EVENTS
from shared.kit.bus import Bus
from shared.kit.db import Database
from shared.kit.migrations import PLATFORM_TABLES
from tests.support.servers import Servers, ServiceDatabases


@pytest.fixture
async def database(service_databases: ServiceDatabases) -> AsyncIterator[Database]:
    """The outbox, inbox and dead letters of a service that has nothing else, in a schema of its own."""
    url = service_databases.url()
    made = Database(url, schema="kit")
    async with made.engine.begin() as connection:
        await connection.execute(sa.text("CREATE SCHEMA kit"))
        for statement in PLATFORM_TABLES:
            await connection.execute(sa.text(statement.format(schema="kit")))
    yield made
    # By `write`, which passes over the dead: a loop cancelled at the test's end leaves such connections in the pool.
    async with made.write() as tx:
        await tx.run("DROP SCHEMA kit CASCADE")
    await made.close()


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[Bus]:
    """A connection to JetStream with the streams of the house."""
    made = Bus(servers.nats_url, name="test")
    await made.connect()
    await made.reconcile_streams(EVENTS, replicas=1)
    yield made
    await made.close()
