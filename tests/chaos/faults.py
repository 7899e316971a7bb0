"""What can break: one function a fault; what lasts is mended when it returns, what was killed starts again by itself."""

import asyncio
import random
import re
import resource
import shutil
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta

import nats
from nats.js import api

from deploy.demo.client import Client
from deploy.demo.run import MORNING
from deploy.local.programs import DEPLOY
from deploy.local.stack import LocalStack
from shared.contracts.events import EVENTS, TableEvent
from shared.contracts.vocabulary import SHARDS
from tests.support.proxy import Proxy

SERVICES = ("ingest", "scoring", "recognition", "grid", "notify")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a fault can reach.

    Attributes:
        servers: the stack of PostgreSQL and NATS.
        services: the stack of everything else.
        database: the network to PostgreSQL.
        broker: the network to NATS.
        seconds: how long a lasting fault lasts.
    """

    servers: LocalStack
    services: LocalStack
    client: Client
    database: Proxy
    broker: Proxy
    seconds: float
    rng: random.Random


Strike = Callable[[World], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        stage: in which stage of the run, and at which share of it.
        parks: how many messages at least are to be found in the dead letters after it.
    """

    name: str
    stage: str
    share: float
    strike: Strike
    parks: int = 0


def _kill(name: str) -> Strike:
    async def strike(world: World) -> None:
        stack = world.servers if name in {"nats", "postgres"} else world.services
        stack.kill(name)

    return strike


def _freeze(name: str) -> Strike:
    async def strike(world: World) -> None:
        process = world.services.children[name]
        process._signal(signal.SIGSTOP)
        await asyncio.sleep(world.seconds)
        process._signal(signal.SIGCONT)

    return strike


async def _cut_broker(world: World) -> None:
    world.broker.cut()
    await asyncio.sleep(world.seconds)
    world.broker.mend()


async def _cut_database(world: World) -> None:
    world.database.cut()
    await asyncio.sleep(world.seconds / 3)  # a caller gives up after a minute
    world.database.mend()


async def _hold_broker(world: World) -> None:
    world.broker.hold()
    await asyncio.sleep(world.seconds)
    world.broker.mend()


async def _slow_database(world: World) -> None:
    world.database.slow(0.02)
    await asyncio.sleep(world.seconds)
    world.database.mend()


async def _jump(world: World) -> None:
    """The business clock jumps within its day, forward and back."""
    world.services.set_clock(MORNING + timedelta(hours=9))
    await asyncio.sleep(world.seconds / 3)
    world.services.set_clock(MORNING)


async def _again(world: World) -> None:
    """Everything that was said so far is said again, in another order, as a broker may after a fault."""
    client = await nats.connect(world.servers.nats_url())
    context = client.jetstream()
    for stream in sorted({event.stream for event in EVENTS}):
        last = (await context.stream_info(stream)).state.last_seq
        places = list(range(1, last + 1))
        world.rng.shuffle(places)
        for place in places[:400]:
            kept = await context.get_msg(stream, place)
            headers = {key: value for key, value in (kept.headers or {}).items() if key != "Nats-Msg-Id"}
            await context.publish(str(kept.subject), kept.data or b"", headers=headers)
    await client.close()


async def _poison(world: World) -> None:
    """A message of each type whose body is garbage."""
    client = await nats.connect(world.servers.nats_url())
    context = client.jetstream()
    for event in EVENTS:
        subject = f"{event.name}.{SHARDS[7]}" if isinstance(event, TableEvent) else event.name
        headers = {
            "ce-specversion": "1.0", "ce-id": str(_uuid(world.rng)), "ce-type": event.name, "ce-source": "/chaos",
            "ce-time": MORNING.isoformat(), "content-type": "application/json",
        }  # fmt: skip
        await context.publish(subject, b"\x00garbage{", headers=headers)
    await client.close()


async def _full_disk(world: World) -> None:
    """No file of ingest grows: what a full disk answers to whoever writes."""
    pid = world.services.children["ingest"].pid
    assert pid is not None
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, hard))
    await asyncio.sleep(world.seconds / 3)  # a caller gives up after a minute
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


async def _full_broker(world: World) -> None:
    """JetStream has no room for what scoring says: the limit of its stream is what it holds."""
    client = await nats.connect(world.servers.nats_url())
    context = client.jetstream()
    config = (await context.stream_info("SCORING")).config
    held = (await context.stream_info("SCORING")).state.bytes
    roomy = config.max_bytes
    await context.update_stream(api.StreamConfig(**{**vars(config), "max_bytes": max(held, 1)}))
    await asyncio.sleep(world.seconds)
    await context.update_stream(api.StreamConfig(**{**vars(config), "max_bytes": roomy}))
    await client.close()


async def _full_store(world: World) -> None:
    """No stream has room: the server is started again with room for what it holds, and then with as much as before."""
    client = await nats.connect(world.servers.nats_url())
    held = sum(each.state.bytes for each in await client.jetstream().streams_info())
    await client.close()
    child = world.servers.children["nats"]
    roomy, small = child.spec, world.servers.folder.nats / "small"
    shutil.copytree(DEPLOY / "nats", small, dirs_exist_ok=True)
    config = small / "nats-server.conf"
    text, found = re.subn(r"max_file_store: \d+", f"max_file_store: {held}", config.read_text(encoding="utf-8"))
    assert found == 1
    config.write_text(text, encoding="utf-8")
    words = tuple(str(config) if word.endswith("/nats-server.conf") else word for word in roomy.argv)
    try:
        child.spec = replace(roomy, argv=words)
        child.kill()
        await asyncio.sleep(world.seconds)
    finally:
        child.spec = roomy
        child.kill()


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


FAULTS: tuple[Fault, ...] = (
    *(Fault(name=f"kill -9 {name}", stage="sources", share=0.4, strike=_kill(name)) for name in SERVICES),
    Fault(name="kill -9 ingest in the rosters", stage="rosters", share=0.5, strike=_kill("ingest")),
    Fault(name="kill -9 recognition after the run", stage="due", share=0.0, strike=_kill("recognition")),
    Fault(name="kill -9 grid in the visits", stage="visits", share=0.3, strike=_kill("grid")),
    Fault(name="kill -9 nats-server", stage="sources", share=0.4, strike=_kill("nats")),
    Fault(name="kill -9 PostgreSQL", stage="sources", share=0.4, strike=_kill("postgres")),
    *(Fault(name=f"SIGSTOP {name}", stage="sources", share=0.3, strike=_freeze(name)) for name in SERVICES),
    Fault(name="services cut off from the broker", stage="sources", share=0.3, strike=_cut_broker),
    Fault(name="the broker's bytes held up", stage="sources", share=0.3, strike=_hold_broker),
    Fault(name="services cut off from the database", stage="sources", share=0.3, strike=_cut_database),
    Fault(name="slow database (20 ms a piece)", stage="sources", share=0.3, strike=_slow_database),
    Fault(name="clock jumps 9 h and back", stage="sources", share=0.3, strike=_jump),
    Fault(name="messages again, shuffled", stage="sources", share=0.8, strike=_again),
    Fault(name="no room for raw files", stage="sources", share=0.3, strike=_full_disk),
    Fault(name="no room in JetStream", stage="sources", share=0.3, strike=_full_broker),
    Fault(name="no room in all of JetStream", stage="sources", share=0.3, strike=_full_store),
    Fault(name="a poison message of each type", stage="sources", share=0.3, strike=_poison, parks=len(EVENTS)),
)
