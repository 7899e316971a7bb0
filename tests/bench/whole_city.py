"""Every opinion of a whole city formed anew, measured on two processes, beside one DuckDB query over the same signals."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.scoring import policies
from services.scoring.domain.rules import Per, RuleSet
from services.scoring.domain.signals import Kind, Origin, Origins, Rows, Signals, day_number, from_rows, subject_words
from services.scoring.store import signals
from services.scoring.usecases.forming import BLOCK_ROWS
from services.scoring.usecases.reassess import reassess
from shared.kit.db import Database
from tests.bench import scoring
from tests.bench.figures import Budget, Figure, figure
from tests.bench.machine import peak_mib

T = TypeVar("T")
_NAMES = [f"standard@{version}" for version in (1, 2)]
_HALVES = (tuple(range(8)), tuple(range(8, 16)))
# The newest strong act certifies; else weak records, decayed to half and capped by source, must come together. As in
# `by_hand`: no negatives, no reasons, no list of the evidence, nothing compared or written but the opinions.
_ASSESS = """
CREATE OR REPLACE TEMP TABLE opinion AS
WITH seen AS (
    SELECT s.subject, s.source, s.day, o.strong, o.department, o.points, o.cap, o.monthly
    FROM read_parquet($files) s JOIN source o USING (source)
    WHERE s.seen AND s.day > $after AND s.day <= $until
), strong AS (
    SELECT subject, max(day) AS as_of FROM seen WHERE strong GROUP BY subject
), weak AS (
    SELECT subject, source, department, points, cap, max(day) AS day
    FROM seen WHERE NOT strong AND subject NOT IN (SELECT subject FROM strong)
    GROUP BY subject, source, department, points, cap,
             CASE WHEN monthly THEN month(DATE '1900-01-01' + day) ELSE day END
), given AS (
    SELECT subject, source, department, max(day) AS newest, count(*) AS days,
           least(sum(points * 1000 - points * 500 * ($until - day) // ($until - $after)), cap * 1000) AS milli
    FROM weak GROUP BY subject, source, department, cap
), combined AS (
    SELECT subject, max(newest) AS newest, sum(milli) AS milli, count(*) AS sources,
           count(DISTINCT department) AS departments, sum(days) AS days
    FROM given GROUP BY subject
)
SELECT subject, true AS certified, as_of, 0 AS points FROM strong
UNION ALL
SELECT subject, milli >= $points * 1000 AND sources >= $sources AND departments >= $departments AND days >= $days
       AND newest >= $until - $newest_days, newest, milli // 1000 FROM combined
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one process does: some shards of a city of so many people and signals a shard.

    Attributes:
        folder: of the Parquet files, one a shard.
        rule_set: under which opinions are formed.
    """

    url: str
    folder: Path
    shards: tuple[int, ...]
    people: int
    rows: int
    rule_set: str = _NAMES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """When a process began and ended its work, by a clock that all share, and what it came to."""

    began: float
    ended: float
    signals: int
    people: int
    changed: int
    peak_mib: float


async def measure(url: str, folder: Path, *, people: int, rows: int, times: int) -> list[Figure]:
    """Fill an empty, migrated schema of scoring with a city, and form its opinions anew in turn with DuckDB."""
    parts = [Part(url=url, folder=folder, shards=half, people=people, rows=rows) for half in _HALVES]
    await _both(fill, parts)
    await _vacuum(url)
    same, query, certified = [], [], 0
    done: list[Done] = []
    for _ in range(times):
        done = await _both(form, parts)
        same.append(_wall(done))
        seconds, certified = await _alone(ask_duckdb, parts[0])
        query.append(seconds)
    changing = await _both(form, [replace(part, rule_set=_NAMES[1]) for part in parts])
    count, changed = sum(each.signals for each in done), sum(each.changed for each in changing)
    words = (
        f"{count:,} signals of {sum(each.people for each in done):,} people, two processes of eight shards. DuckDB with "
        f"two threads: one query doing the strong rule and the point sum over Parquet files, {certified:,} certified; it "
        "compares with nothing and stores nothing. Ours reads PostgreSQL, forms reasons and evidence, and compares"
    )
    return [
        figure("a whole city assessed anew, nothing changes", "s", same, query, note=words,
               budget=Budget(of="ours", most=15)),
        figure("the same beside the query", "s", same, query, note="the same runs", budget=Budget(most=2)),
        figure("a whole city under another rule set", "s", _wall(changing), query,
               budget=Budget(of="ours", most=15),
               note=f"standard@1 to standard@2: {changed:,} opinions change, are stored, and said where it matters"),
        figure("peak memory of a process assessing anew", "MiB", max(each.peak_mib for each in done),
               budget=Budget(of="ours", most=600), note="the larger of two"),
    ]  # fmt: skip


def _wall(done: Sequence[Done]) -> float:
    return max(each.ended for each in done) - min(each.began for each in done)


async def _both(work: Callable[[Part], T], parts: Sequence[Part]) -> list[T]:
    return list(await asyncio.gather(*(_alone(work, part) for part in parts)))


async def _alone(work: Callable[[Part], T], part: Part) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work, part)


async def _vacuum(url: str) -> None:
    database = Database(url, schema="scoring", statement_seconds=600)
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE assessment")
    await database.close()


# ---- in a process of its own -----------------------------------------------------------------------------------------


def fill(part: Part) -> Done:
    """Signals of some shards as sweeps leave them, the same as Parquet files, and the opinions on them."""
    return asyncio.run(_fill(part))


def form(part: Part) -> Done:
    """The opinions of some shards formed anew."""
    return asyncio.run(_form(part))


def ask_duckdb(part: Part) -> tuple[float, int]:
    """Seconds of one query over all Parquet files, and how many people it certifies."""
    base = duckdb.connect()
    base.execute("SET threads = 2")
    base.execute("SET enable_progress_bar = false")
    base.execute("CREATE TEMP TABLE source (source SMALLINT, strong BOOLEAN, department VARCHAR, points INTEGER,"
                 " cap INTEGER, monthly BOOLEAN)")  # fmt: skip
    rules = _rules(_NAMES[0])
    for number, (source, department, strength, _) in enumerate(scoring.SOURCES):
        worth = rules.worth_of(source, strong=strength == "strong")
        base.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?, ?)", [
            number, strength == "strong", department, worth.points, worth.cap, worth.per is Per.MONTH])  # fmt: skip
    until = day_number(scoring.TODAY)
    files, limits = str(part.folder / "*.parquet"), asdict(rules.thresholds)
    given: dict[str, Any] = {"files": files, "after": until - 365, "until": until} | limits
    started = time.perf_counter()
    base.execute(_ASSESS, given)
    seconds = time.perf_counter() - started
    row = base.execute("SELECT count(*) FILTER (WHERE certified) FROM opinion").fetchone()
    assert row is not None
    return seconds, int(row[0])


async def _fill(part: Part) -> Done:
    database = Database(part.url, schema="scoring", statement_seconds=600)
    async with database.write() as tx:
        await signals.ensure_heads(tx)
    async with database.write() as tx:
        origins = await signals.add_origins(
            tx, [Origin(source=each[0], department=each[1], strong=each[2] == "strong") for each in scoring.SOURCES]
        )
    for shard in part.shards:
        made = _signals(part, shard, origins)
        async with database.write() as tx:
            await signals.write_blocks(tx, shard, 1, made, after=0, rows=BLOCK_ROWS)
        _write_parquet(part.folder / f"{shard:x}.parquet", made)
    await database.close()
    return await _form(part)


async def _form(part: Part) -> Done:
    database = Database(part.url, schema="scoring", statement_seconds=600)
    means = scoring.means(_rules(part.rule_set))
    seen = people = changed = 0
    async with database.read() as tx:
        await signals.list_heads(tx)
    began = time.perf_counter()
    for shard in part.shards:
        async with database.write() as tx:
            done = await reassess(tx, means, shard, shadow=False)
        assert done is not None
        seen, people = seen + done.outcome.signals, people + done.outcome.people
        changed += done.outcome.changed
    ended = time.perf_counter()
    await database.close()
    return Done(began=began, ended=ended, signals=seen, people=people, changed=changed, peak_mib=peak_mib(os.getpid()))


def _rules(name: str) -> RuleSet:
    return next(each for each in policies.load() if each.name == name)


def _signals(part: Part, shard: int, origins: Origins) -> Signals:
    """A shard as `scoring.messages` makes one: half of the people are seen by weak sources only."""
    random = np.random.default_rng(100 + shard)
    raw = random.integers(0, 256, (part.people, 16), dtype=np.uint8)
    raw[:, 0] = shard << 4 | raw[:, 0] & 15
    subjects = subject_words(raw)
    weak_only = random.random(part.people) < 0.5
    first = day_number(scoring.TODAY) - 364
    parts = []
    for number, (source, _, strength, share) in enumerate(scoring.SOURCES):
        who = random.integers(0, part.people, int(part.rows * share))
        died = source in ("police_hukou_cancel", "civil_cremation")
        if strength == "strong" and not died:
            who = who[~weak_only[who]]
        rows = len(who)
        parts.append(
            Rows(
                subjects=subjects[who],
                origin=np.full(rows, number, dtype=np.uint16),
                day=(first + random.integers(0, 364, rows)).astype(np.uint16),
                kind=np.full(rows, Kind.DIED if died else Kind.SEEN, dtype=np.uint8),
                full=np.ones(rows, dtype=bool),
                evidence=(np.int64(number + 1) << 32) + np.arange(rows),
            )
        )
    return from_rows(parts, origins)


def _write_parquet(path: Path, made: Signals) -> None:
    """One row a signal, sorted by person as ours is: the kindest order for a reader."""
    halves = made.subjects.view(">u8").reshape(-1, 2)[:, 0].astype(np.uint64)
    table = pa.table(
        {
            "subject": pa.array(halves[made.person_rows()]),
            "source": pa.array(made.origin.astype(np.int16)),
            "day": pa.array(made.day.astype(np.int32)),
            "seen": pa.array(made.kind == Kind.SEEN),
            "evidence_id": pa.array(made.evidence),
        }
    )
    pq.write_table(table, path, compression="zstd")
