"""The faults of `make chaos` in short: one speaker and one hearer behind networks that break, and nothing lost or doubled."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import cast
from urllib.parse import urlsplit

import pytest

from deploy.demo.client import Client
from shared.contracts.events import BATCH_COMPLETED, EVENTS
from shared.kit import inbox
from shared.kit.bus import Bus
from shared.kit.clock import FixedClock
from shared.kit.db import Database
from shared.kit.outbox import Outbox
from tests.chaos.faults import FAULTS, Fault, World, _freeze
from tests.shared.kit.test_bus import NOW, Ear, batch, effects, listening, relaying
from tests.support.proxy import Proxy, proxied

pytestmark = [pytest.mark.db, pytest.mark.bus, pytest.mark.timeout(240)]

OF_NETWORKS = (
    "services cut off from the broker", "the broker's bytes held up", "services cut off from the database",
    "slow database (20 ms a piece)", "messages again, shuffled", "a poison message of each type",
)  # fmt: skip
STRIKES = (
    Fault(name="SIGSTOP", stage="", share=0, strike=_freeze("nats")),
    *(fault for fault in FAULTS if fault.name in OF_NETWORKS),
)


def through(proxy: Proxy, url: str) -> str:
    """The same URL by way of a proxy."""
    end = urlsplit(url).port
    return url.replace(f":{end}", f":{proxy.port}")


async def parked(database: Database) -> int:
    async with database.read() as tx:
        return len(await inbox.list_dead_letters(tx))


# The client of NATS leaves a connection that broke while it was opened to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_nothing_is_lost_or_doubled_by_what_befalls_the_way(service_databases, database, own_nats):
    assert len(STRIKES) == 1 + len(OF_NETWORKS)
    url, said, outbox = service_databases.url(), list[int](), Outbox("kit", FixedClock(NOW), asyncio.Event())
    async with database.write() as tx:
        await tx.run("CREATE TABLE effect (number bigint)")
    async with AsyncExitStack() as opened:
        nets = [
            await opened.enter_async_context(proxied("127.0.0.1", urlsplit(each).port or 0))
            for each in (url, own_nats.nats_url())
        ]
        far, bus = Database(through(nets[0], url), schema="kit"), Bus(through(nets[1], own_nats.nats_url()), name="t")
        opened.push_async_callback(far.close)
        await bus.connect()
        opened.push_async_callback(bus.close)
        await bus.reconcile_streams(EVENTS, replicas=1)
        world = World(
            servers=own_nats, services=own_nats, client=cast(Client, None), database=nets[0], broker=nets[1],
            seconds=0.9, rng=random.Random(7),
        )  # fmt: skip
        await opened.enter_async_context(relaying(bus, far, outbox))
        await opened.enter_async_context(listening(bus, far, Ear(), "short"))
        for fault in STRIKES:
            striking = asyncio.create_task(fault.strike(world))
            for _ in range(20):
                said.append(len(said))
                async with database.write() as tx:
                    await outbox.say(tx, BATCH_COMPLETED, batch(said[-1]))
                await asyncio.sleep(0.03)
            await striking
            async with asyncio.timeout(60):
                while (await effects(database))[-1:] != said[-1:] or await parked(database) < bool(fault.parks):
                    await asyncio.sleep(0.1)
            assert await effects(database) == said, fault.name
        assert await parked(database) == 1
