"""One run of a small city over servers of its own, with something breaking in the middle or nothing at all."""

import asyncio
import contextlib
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from deploy.demo import truth
from deploy.demo.city.manifest import TRUTH
from deploy.demo.client import Client
from deploy.demo.run import SERVICES, DemoOptions, opened, through
from deploy.demo.truth import Accuracy
from deploy.local.folder import DataFolder
from deploy.local.ports import HOST
from deploy.local.stack import LocalStack, StackOptions
from tests.chaos.digest import Table, digest, tables
from tests.chaos.ends import ends
from tests.chaos.faults import Fault, World
from tests.chaos.recovery import recovered
from tests.support.proxy import Proxy, proxied

SCALE, SEED = 0.001, 7
SOURCES = frozenset(
    {
        "medins_pharmacy", "transport_bus_card", "telecom_activity", "medins_inpatient", "health_inpatient_emr", "wst_face",
        "police_hukou_cancel", "health_death_cert", "civil_cremation", "prison_custody", "court_judgment",
    }
)  # fmt: skip


Choose = Callable[[Mapping[str, Table]], Mapping[str, list[str]]]
"""The columns of each table to compare, of the digests over all columns."""


@dataclass(slots=True)
class Outcome:
    """What a run ended with.

    Attributes:
        seconds: of the whole run, without the start.
        recovery: from the end of the fault until everything said by then was heard, seconds.
        parked: messages that were parked.
        texts_twice: texts the outside world was sent more than once, word for word.
        tables: digests over the columns chosen.
        ends: what it came to beside them.
    """

    accuracy: Accuracy
    seconds: float
    recovery: float | None
    parked: int
    texts_twice: int
    tables: Mapping[str, Table]
    ends: Mapping[str, Table]


@dataclass(slots=True)
class Striker:
    """A `disturb` that strikes once, when its moment has come."""

    fault: Fault
    seconds: float
    rng: random.Random
    world: World | None = None
    struck: asyncio.Task[float] | None = None

    def __call__(self, _stack: LocalStack, stage: str, share: float) -> None:
        """Strike when it is time."""
        if self.struck is None and stage == self.fault.stage and share >= self.fault.share:
            assert self.world is not None
            self.struck = asyncio.create_task(self._strike(self.world))

    async def _strike(self, world: World) -> float:
        """Returns the seconds it took to recover."""
        await self.fault.strike(world)
        over = time.monotonic()
        await recovered(world.servers.database_url(), world.servers.nats_url())
        return time.monotonic() - over


async def run(folder: Path, secrets: Path | None, choose: Choose, striker: Striker | None = None) -> Outcome:
    """Run the city once; with the secrets of another run people have the same pseudonyms in both."""
    servers_options = StackOptions(
        data=folder / "servers",
        port_base=0,
        services=(),
        gateway=False,
        durable=False,
        database_url=None,
        nats_url=None,
    )
    if secrets:
        with_same = DataFolder(folder / "stack")
        with_same.open(fresh=False, min_free_bytes=0)
        with_same.close()
        shutil.copytree(secrets, with_same.secrets, dirs_exist_ok=True)
    async with (
        LocalStack(servers_options) as servers,
        proxied(HOST, servers.ports.postgres) as database,
        proxied(HOST, servers.ports.nats) as broker,
    ):
        return await _through(folder, servers, (database, broker), choose, striker)


async def _through(
    folder: Path, servers: LocalStack, proxies: tuple[Proxy, Proxy], choose: Choose, striker: Striker | None
) -> Outcome:
    database, broker = proxies
    urls = (
        servers.database_url().replace(f":{servers.ports.postgres}/", f":{database.port}/"),
        servers.nats_url().replace(f":{servers.ports.nats}", f":{broker.port}"),
    )
    options = DemoOptions(
        data=folder, scale=SCALE, seed=SEED, port_base=0, stay=False, sources=SOURCES, durable=False,
        disturb=striker, database_url=urls[0], nats_url=urls[1],
        environment={"WUGAN_NATS_MONITOR_URLS": servers.urls["nats-monitor"]},
    )  # fmt: skip
    async with opened(options, Console(quiet=True)) as city:
        client = city.client
        if striker:
            city.client = client = replace(client, stops_at_parked=not striker.fault.parks)
            striker.world = World(
                servers=servers, services=city.stack, client=client, database=database, broker=broker,
                seconds=striker.seconds, rng=striker.rng,
            )  # fmt: skip
        began = time.monotonic()
        result = await through(city)
        seconds, recovery = time.monotonic() - began, None
        if striker:
            assert striker.struck, f"{striker.fault.name} never struck"
            recovery = await striker.struck
            await client.quiet(SERVICES, told=lambda _left: None)
        parked = await _discard_parked(client)
        url = servers.database_url()
        held = await digest(url, await tables(url))
        held = await digest(url, choose(held))
        sandbox = city.stack.folder.root / "sandbox"
        answered = await truth.ask(client, truth.read_truth(city.city / TRUTH), told=lambda _count: None)
        came_to, twice = await ends(url, sandbox, answered), _texts_twice(sandbox)
    return Outcome(
        accuracy=result.accuracy, seconds=seconds, recovery=recovery, parked=parked, texts_twice=twice, tables=held,
        ends=came_to,
    )  # fmt: skip


def _texts_twice(sandbox: Path) -> int:
    with contextlib.closing(sqlite3.connect(sandbox / "sandbox.sqlite3")) as kept:
        return int(kept.execute('SELECT count(*) - count(DISTINCT "to" || text) FROM sms').fetchone()[0])


async def _discard_parked(client: Client) -> int:
    """As an operator would who has looked at them: poison is thrown away. Returns how many there were."""
    count = 0
    for name in SERVICES:
        while page := (await client.call("GET", name, "/v1/dead-letters"))["items"]:
            for letter in page:
                await client.call("DELETE", name, f"/v1/dead-letters/{letter['id']}")
            count += len(page)
    return count
