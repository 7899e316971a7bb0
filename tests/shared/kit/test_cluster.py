"""Three servers of JetStream with three copies of everything: one of them dies, and nobody notices but by a pause."""

import asyncio
import gc
from datetime import UTC, datetime

import pytest

from deploy.local.secrets import OPERATOR
from shared.contracts.events import BATCH_COMPLETED, EVENTS
from shared.kit.bus import Bus
from shared.kit.clock import FixedClock
from shared.kit.outbox import Outbox
from tests.shared.kit.test_bus import Ear, batch, effects, listening, relaying, until
from tests.support.cluster import clustered

pytestmark = [pytest.mark.db, pytest.mark.bus]
USERS = ("ingest", "scoring", "grid", "recognition", "notify", OPERATOR)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_leader_of_a_stream_is_killed_and_nothing_is_lost_or_doubled(database, tmp_path):
    outbox = Outbox("kit", FixedClock(datetime(2023, 11, 1, tzinfo=UTC)), asyncio.Event())
    async with database.write() as tx:
        await tx.run("CREATE TABLE effect (number bigint)")
    async with clustered(tmp_path, {user: f"p{user}" for user in USERS}) as cluster:
        bus, ear = Bus(cluster.url, name="test"), Ear()
        await bus.connect()
        await bus.reconcile_streams(EVENTS, replicas=3)
        async with relaying(bus, database, outbox), listening(bus, database, ear, "own"):
            for number in range(30):
                if number == 10:
                    cluster.leave_dead(await cluster.leader(BATCH_COMPLETED.stream))
                async with database.write() as tx:
                    await outbox.say(tx, BATCH_COMPLETED, batch(number))
            await until(lambda: len(ear.heard) == 30, seconds=40)
        await bus.close()
    gc.collect()  # the client leaves its socket to a dying server to the collector, which warns: here, not in another test
    assert await effects(database) == ear.heard == list(range(30))
