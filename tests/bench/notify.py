"""How fast notify is: a year's notices written, merged and handed to a gateway; one legal notice in their midst; webhooks.

`python -m tests.bench.notify` prints the figures; `measured(url, …)` gives them to the harness. The gateway and the
partners' receivers are small servers in processes of their own, so that their work is not counted as ours.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import numpy as np
import orjson
import pyarrow as pa
import uvloop

from services.notify.domain.delivery import Outgoing, Result
from services.notify.jobs import Hooks, Sender
from shared.contracts.events import CERTIFICATES_ISSUED, CONTACTS_CHANGED
from shared.kit import arrow, migrations
from shared.kit.clock import FixedClock, wall
from shared.kit.db import Database
from tests.bench.receiver import receiver
from tests.services.notify.hooks import LOCAL, recorded, subscription, with_poster
from tests.services.notify.world import MORNING, hear, make_deps, notice, sealed, sms_settings, table_message
from tests.support.servers import shared_servers

NOTICES, ROWS = 462_600, 20_000
ENDPOINTS, EVENTS = 31, 100
_SHARDS = 16
_PATIENCE = 60.0
_SAID = "张建国您好！您已通过健在认证，有效期至2024年12月28日，3项待遇在此前无需办手续，还要核对的另行告知。电话12333。"
_PATIENT = LOCAL.model_copy(update={"seconds": 60})


def _people(count: int) -> np.ndarray:
    subjects = np.random.default_rng(7).integers(0, 256, (count, 16), dtype=np.uint8)
    return subjects[np.argsort(subjects[:, 0] >> 4, kind="stable")]


def _lots(subjects: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    nibble = subjects[:, 0] >> 4
    for shard in range(_SHARDS):
        some = subjects[nibble == shard]
        for at in range(0, len(some), ROWS):
            yield f"{shard:x}", some[at : at + ROWS]


def _contacts(some: np.ndarray) -> pa.Table:
    seal = [sealed(UUID(bytes=row.tobytes()), phone=f"139{place:08d}") for place, row in enumerate(some)]
    return pa.table(
        {
            "subject": arrow.subject_array(some),
            "sealed": pa.array(seal, pa.binary()),
            "reachable": pa.array(["phone"] * len(some)),
            "division": pa.array(["341602001001"] * len(some)),
        }
    )


def _certificates(some: np.ndarray, until: date) -> pa.Table:
    count = len(some)
    return pa.table(
        {
            "subject": arrow.subject_array(some),
            "certificate_id": arrow.subject_array(
                np.random.default_rng(1).integers(0, 256, (count, 16), dtype=np.uint8)
            ),
            "claim": pa.array(["alive"] * count),
            "as_of": pa.array([date(2023, 10, 31)] * count),
            "channel": pa.array(["data"] * count),
            "strength": pa.array(["strong"] * count),
            "valid_until": pa.array([until] * count),
            "programs": pa.array([3] * count, pa.int16()),
            "previous_until": pa.array([None] * count, pa.date32()),
        }
    )


def measured(url: str, notices: int, events: int) -> dict[str, float]:
    """The figures on an empty, migrated schema of notify, on the loop that services run on."""

    async def run() -> dict[str, float]:
        database = Database(url, schema="notify", statement_seconds=600)
        try:
            return await measure(database, notices=notices, events=events)
        finally:
            await database.close()

    return uvloop.run(run())


async def measure(database: Database, *, notices: int = NOTICES, events: int = EVENTS) -> dict[str, float]:
    """The figures on an empty, migrated schema of notify."""
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "legal"
        with receiver(noted) as url:
            async with httpx.AsyncClient(trust_env=False) as client:
                figures = await _notices(database, client, url, noted, notices)
                figures["notices_per_second_by_hand"] = await _by_hand(database, client, url, notices)
            return figures | await _webhooks(database, url, events)


async def _next(told: asyncio.Event) -> None:
    told.clear()
    async with asyncio.timeout(_PATIENCE):
        await told.wait()


async def _notices(
    database: Database, client: httpx.AsyncClient, url: str, noted: Path, count: int
) -> dict[str, float]:
    deps = make_deps(database, clock=FixedClock(MORNING), client=client, sms=sms_settings(url=url))
    subjects = _people(count)
    for shard, some in _lots(subjects):
        await hear(deps, table_message(CONTACTS_CHANGED, _contacts(some), shard=shard))
    started = time.perf_counter()
    # Each person is certified twice that day: the second time merges into the first.
    for months in (11, 12):
        until = date(2024, months, 28)
        for shard, some in _lots(subjects):
            await hear(deps, table_message(CERTIFICATES_ISSUED, _certificates(some, until), shard=shard))
    written = time.perf_counter() - started
    # Counted here: to ask the database several times a second would be the load that is measured.
    told = asyncio.Event()
    real, handed_over = deps.senders["sms"], 0

    async def counted(batch: Sequence[Outgoing]) -> Sequence[Result]:
        nonlocal handed_over
        results = await real(batch)
        handed_over += len(batch)
        told.set()
        return results

    sender = asyncio.create_task(Sender(replace(deps, senders={**deps.senders, "sms": counted}), "sms").run())
    handed_at, legal = time.perf_counter(), None
    while handed_over <= count:  # the legal one comes on top
        await _next(told)
        if legal is None and handed_over > count / 2:
            await hear(deps, notice(1, UUID(bytes=subjects[0].tobytes())))
            legal = wall()
    while await _left(database):
        await asyncio.sleep(0.02)
    handed = time.perf_counter() - handed_at
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    assert legal is not None
    ends = await database.at_once("SELECT status, count(*) AS n FROM delivery WHERE channel = 'sms' GROUP BY status")
    assert [(row["status"], row["n"]) for row in ends] == [("handed", count + 1)], list(map(dict, ends))
    return {
        "notices_written_and_merged_per_second": count / written,
        "notices_handed_per_second": count / handed,
        "notices_per_second": count / (written + handed),
        "seconds_for_one_legal_notice": float(noted.read_text(encoding="utf-8")) - legal,  # noqa: ASYNC240
    }


async def _left(database: Database) -> bool:
    rows = await database.at_once(
        "SELECT EXISTS (SELECT FROM delivery WHERE channel = 'sms' AND status = 'queued')"
        " OR EXISTS (SELECT FROM delivery WHERE channel = 'sms' AND status = 'sending') AS left_over"
    )
    return bool(rows[0]["left_over"])


async def _by_hand(database: Database, client: httpx.AsyncClient, url: str, count: int) -> float:
    """A queue written by hand, notices a second: no rules, names, texts to fill, lease, inbox or proof.

    The same people come twice and merge by key; as many workers as our calls side by side take 500 at a time, post them
    and mark them, the transaction open meanwhile.
    """
    await database.at_once(
        "CREATE TABLE by_hand (id uuid PRIMARY KEY, phone text, text text, until date, handed boolean NOT NULL)"
    )
    ids = np.random.default_rng(3).integers(0, 256, (count, 16), dtype=np.uint8)
    started = time.perf_counter()
    for months in (11, 12):
        for at in range(0, count, ROWS):
            some = ids[at : at + ROWS]
            table = pa.table(
                {
                    "id": arrow.subject_array(some),
                    "phone": pa.array(["13900001234"] * len(some)),
                    "text": pa.array([_SAID] * len(some)),
                    "until": pa.array([date(2024, months, 28)] * len(some)),
                    "handed": pa.array([False] * len(some)),
                }
            )
            async with database.write() as tx:
                await tx.run("CREATE TEMP TABLE arrived (LIKE by_hand) ON COMMIT DROP")
                await tx.copy("arrived", table)
                await tx.run(
                    "INSERT INTO by_hand SELECT * FROM arrived ON CONFLICT (id) DO UPDATE SET until = excluded.until"
                )
    await database.at_once("CREATE INDEX ON by_hand (id) WHERE NOT handed")

    async def work() -> None:
        while True:
            async with database.write() as tx:
                rows = await tx.fetch(
                    "SELECT id, phone, text FROM by_hand WHERE NOT handed ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED"
                )
                if not rows:
                    return
                said = [
                    {"id": str(row["id"]), "to": row["phone"], "text": row["text"], "priority": False} for row in rows
                ]
                (await client.post(url, content=orjson.dumps({"messages": said}), timeout=60)).raise_for_status()
                await tx.run("UPDATE by_hand SET handed = true WHERE id = ANY($1::uuid[])", [row["id"] for row in rows])

    await asyncio.gather(*(work() for _ in range(5)))
    seconds = time.perf_counter() - started
    assert (await database.at_once("SELECT count(*) AS n FROM by_hand WHERE handed"))[0]["n"] == count
    await database.at_once("DROP TABLE by_hand")
    return count / seconds


async def _webhooks(database: Database, url: str, events: int) -> dict[str, float]:
    deps = with_poster(make_deps(database, clock=FixedClock(MORNING + timedelta(days=1))), _PATIENT)
    assert deps.poster is not None
    for number in range(1, ENDPOINTS + 1):
        await hear(deps, subscription(number, url=f"{url}/{number}"))
    hooks = Hooks(deps, deps.poster)
    await hooks.drain()
    message = recorded(range(1, events + 1))
    started = time.perf_counter()
    await hear(deps, message)
    await hooks.drain()
    seconds = time.perf_counter() - started
    ends = await database.at_once("SELECT status, reason, count(*) AS n FROM post GROUP BY status, reason")
    assert [(row["status"], row["n"]) for row in ends] == [("delivered", events * ENDPOINTS)], list(map(dict, ends))
    bare = await _bare(url, events * 4)
    await deps.poster.close()
    return {
        "webhooks_per_second": events * ENDPOINTS / seconds,
        "webhooks_per_second_bare": bare,
        "milliseconds_from_event_to_webhook": await _latency(database, url),
    }


async def _bare(url: str, count: int) -> float:
    """POSTs a second of httpx alone, as many side by side: no signature, no database, no look at the address."""
    body, left = b'{"type": "x", "data": {}}', iter(range(count))
    async with AsyncExitStack() as stack:
        # One an endpoint, as ours: in one pool of 64 connections httpx is several times slower.
        clients = [await stack.enter_async_context(httpx.AsyncClient(trust_env=False)) for _ in range(ENDPOINTS)]

        async def work() -> None:
            for number in left:
                await clients[number % ENDPOINTS].post(url, content=body)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(64)))
        return count / (time.perf_counter() - started)


async def _latency(database: Database, url: str) -> float:
    """Median time from the event's commit to its post recorded, one event at a time, the loop asleep before."""
    clock = FixedClock(MORNING + timedelta(days=2))
    deps = with_poster(make_deps(database, clock=clock), _PATIENT)
    assert deps.poster is not None
    loop = asyncio.create_task(Hooks(deps, deps.poster).run())
    waits = []
    for number in range(10):
        key = 1_000_000 + number
        started = time.perf_counter()
        await hear(deps, recorded([key]))
        while True:
            rows = await database.at_once(
                "SELECT count(*) AS n FROM post WHERE event_id = $1 AND status = 'delivered'", UUID(int=key)
            )
            if rows[0]["n"] == ENDPOINTS:
                break
            await asyncio.sleep(0.005)
        waits.append(time.perf_counter() - started)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await deps.poster.close()
    return statistics.median(waits) * 1000


def _alone(scale: float) -> None:
    with tempfile.TemporaryDirectory() as folder, shared_servers(Path(folder), nats=False) as servers:
        databases = servers.create_database(f"bench_{uuid4().hex[:8]}")
        asyncio.run(migrations.upgrade("notify", databases.url("notify")))
        try:
            for name, figure in measured(databases.url("notify"), int(NOTICES * scale), EVENTS).items():
                print(f"{name:50} {figure:14,.2f}")
        finally:
            databases.drop()


if __name__ == "__main__":
    _alone(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
