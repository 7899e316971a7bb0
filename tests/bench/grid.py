"""Grid: tasks of everybody nobody saw, opened, given out and balanced; and a member's worklist."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from uuid import uuid4

import httpx
import numpy as np
import polars as pl
import pyarrow as pa

from services.grid.domain.holders import GRID_SCHEMA
from services.grid.jobs.upkeep import relieve
from services.grid.store import roll
from shared.contracts.events import CERTIFICATIONS_DUE
from shared.contracts.vocabulary import SHARDS
from shared.kit import arrow
from shared.kit.bus import Message
from shared.kit.db import Database
from tests.bench.figures import Budget, Figure, figure
from tests.services.grid.town import NOW, TODAY, Town
from tests.support.tokens import Issuer

PEOPLE, GRIDS_A_VILLAGE, PEOPLE_A_GRID = 900_000, 100, 6.63
_ROWS = 20_000
_ASKED = 400
_AT_ONCE = 8  # messages a process of the service handles at once
_TASK = (
    "task_id, subject, reason, state, due_on, deadline_on, priority, division, grid_code, worker_id, programs, "
    "opened_by, created_at, changed_at"
)


async def measure(database: Database, *, people: int) -> list[Figure]:
    """Open the tasks of so many people, balance them, and ask for worklists."""

    def ingest(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, json={"items": []})

    town = Town(database, Issuer(), peers=httpx.MockTransport(ingest))
    grids = _grids(max(int(people / PEOPLE_A_GRID), GRIDS_A_VILLAGE))
    async with database.write() as tx:
        await roll.save_grids(tx, grids, _no_history(), NOW)
        await tx.run(
            "INSERT INTO workers (worker_id, name_key, phone_key, sealed, created_at, changed_at) "
            "SELECT DISTINCT member_id, decode(md5(member_id), 'hex'), decode(md5(member_id), 'hex'), '\\x00'::bytea, "
            "now(), now() FROM grids"
        )
    messages = list(_messages(people, grids))
    began = time.perf_counter()
    await _hear(town, messages)
    opened = time.perf_counter() - began
    before = await _loads(town)
    began = time.perf_counter()
    moved = await relieve(town.deps)
    balanced = time.perf_counter() - began
    after = await _loads(town)
    theirs = await _by_hand(database)
    waits = await _worklists(town, grids)
    share_before, share_after = [np.mean(each > 30) for each in (before, after)]
    note = (
        f"INSERT … SELECT of the finished rows into an empty copy of the table with its indexes. Ours includes the round "
        f"of the day that balances ({moved:,} tasks changed hands in {balanced:.1f} s): the fullest member had "
        f"{before.max()} open tasks and has {after.max()}; {share_before:.2%} had more than 30 and {share_after:.2%} have"
    )
    count = sum(each.table().num_rows for each in messages)
    return [
        figure("tasks opened, given out and balanced", "tasks/s", count / (opened + balanced), count / theirs,
               budget=Budget(of="ours", least=20_000), note=note),
        figure("a member's worklist, p99", "ms", float(np.percentile(waits, 99)), None,
               budget=Budget(of="ours", most=30),
               note=f"{_ASKED} members one after another through the whole service in one process, names asked of an "
                    f"ingest that answers at once; the median is {statistics.median(waits):.1f} ms"),
    ]  # fmt: skip


def _grids(count: int) -> pl.DataFrame:
    number = np.arange(count)
    village = [f"3416{20_000_000 + each // GRIDS_A_VILLAGE:08}" for each in number]
    group = number % GRIDS_A_VILLAGE + 1
    return pl.DataFrame(
        {
            "grid_code": [f"{place}{no:03}" for place, no in zip(village, group, strict=True)],
            "division": village,
            "group_no": group,
            "member_id": [f"w{each:015x}" for each in number],
            "leader_id": [f"w{each // GRIDS_A_VILLAGE + 10**9:015x}" for each in number],
            "assistant_id": [None] * count,
            "lon": [115.78] * count,
            "lat": [33.85] * count,
        },
        schema=GRID_SCHEMA,
    )


async def _hear(town: Town, messages: Sequence[Message]) -> None:
    """As the service hears: a shard's messages one after another, several shards at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def lane(mine: Sequence[Message]) -> None:
        for each in mine:
            async with gate:
                await town.hear(each)

    await asyncio.gather(*(lane([each for each in messages if each.shard == shard]) for shard in SHARDS))


def _no_history() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"grid_code": pl.String, "duty": pl.String, "before_id": pl.String, "after_id": pl.String}
    )


def _messages(people: int, grids: pl.DataFrame) -> Sequence[Message]:
    """Certifications due, a shard and twenty thousand people a message; some grids have many more people than others."""
    chance = np.random.default_rng(7)
    weight = chance.lognormal(0, 0.8, grids.height)
    chosen = chance.choice(grids.height, people, p=weight / weight.sum())
    village, group = grids["division"].to_numpy(), grids["group_no"].to_numpy()
    made = []
    for place, shard in enumerate(SHARDS):
        mine = chosen[place :: len(SHARDS)]
        for start in range(0, len(mine), _ROWS):
            part = mine[start : start + _ROWS]
            keys = chance.integers(0, 256, (len(part), 16), dtype=np.uint8)
            keys[:, 0] = place << 4 | keys[:, 0] & 0x0F
            table = pa.table(
                {
                    "subject": arrow.subject_array(keys),
                    "due_on": [TODAY + timedelta(days=int(day)) for day in chance.integers(0, 90, len(part))],
                    "division": pa.array(village[part]),
                    "group_no": pa.array(group[part], pa.int16()),
                    "programs": pa.array(chance.integers(1, 5, len(part)), pa.int16()),
                    "born_on": [date(1930 + int(year), 5, 1) for year in chance.integers(0, 33, len(part))],
                }
            )
            attributes = {"run": "bench", "run_on": TODAY.isoformat()}
            body = arrow.encode(arrow.conform(CERTIFICATIONS_DUE, table, attributes))
            made.append(
                Message(id=uuid4(), event=CERTIFICATIONS_DUE, shard=shard, attributes=attributes, happened_at=NOW,
                        body=body)
            )  # fmt: skip
    return made


async def _loads(town: Town) -> np.ndarray:
    rows = await town.rows("SELECT count(*) AS n FROM tasks WHERE state <> 'closed' GROUP BY worker_id")
    return np.array([row["n"] for row in rows])


async def _by_hand(database: Database) -> float:
    async with database.write() as tx:
        await tx.run("CREATE TABLE by_hand (LIKE tasks INCLUDING DEFAULTS INCLUDING INDEXES)")
    began = time.perf_counter()
    async with database.write() as tx:
        await tx.run(f"INSERT INTO by_hand ({_TASK}) SELECT {_TASK} FROM tasks")
    return time.perf_counter() - began


async def _worklists(town: Town, grids: pl.DataFrame) -> list[float]:
    chance = np.random.default_rng(11)
    members = grids["member_id"].to_list()
    waits = []
    town.app.state.platform, town.app.state.deps = SimpleNamespace(guard=town.issuer.guard()), town.deps
    transport = httpx.ASGITransport(app=town.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://grid.test") as client:
        for each in chance.integers(0, len(members), _ASKED):
            headers = town.member(members[each])
            began = time.perf_counter()
            answer = await client.get("/v1/worklist", headers=headers)
            waits.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
            await asyncio.sleep(0)
    return waits
