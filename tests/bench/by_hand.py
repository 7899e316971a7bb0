"""Scoring as one would write it by hand in SQL: signals as rows with a unique key, assessed by one statement."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.scoring import policies
from services.scoring.domain.rules import Per
from shared.kit import arrow
from shared.kit.db import Database, WriteTx
from tests.bench import scoring
from tests.bench.machine import peak_mib

_TABLES = """
CREATE TABLE bench_source (source smallint PRIMARY KEY, strong boolean, department text, points int, cap int,
                           monthly boolean);
CREATE TABLE bench_signal (subject uuid NOT NULL, source smallint NOT NULL, occurred_on date NOT NULL,
                           seen boolean NOT NULL, evidence_id bigint NOT NULL,
                           PRIMARY KEY (subject, source, occurred_on));
CREATE TABLE bench_opinion (subject uuid PRIMARY KEY, certified boolean NOT NULL, as_of date, points int NOT NULL)
"""
# The newest strong act certifies; else weak records, decayed to half over the window and capped by source, must come
# together. Simpler than ours: no negatives, no reasons, no list of the evidence, and days beyond a cap count too.
_ASSESS = """
WITH seen AS (
    SELECT s.subject, s.source, s.occurred_on, o.strong, o.department, o.points, o.cap, o.monthly
    FROM bench_signal s JOIN bench_source o USING (source)
    WHERE s.seen AND s.occurred_on > $1::date AND s.occurred_on <= $2::date
), strong AS (
    SELECT subject, max(occurred_on) AS as_of FROM seen WHERE strong GROUP BY subject
), weak AS (
    SELECT subject, source, department, points, cap, max(occurred_on) AS occurred_on
    FROM seen WHERE NOT strong AND NOT EXISTS (SELECT FROM strong WHERE strong.subject = seen.subject)
    GROUP BY subject, source, department, points, cap,
             CASE WHEN monthly THEN date_trunc('month', occurred_on::timestamp)::date ELSE occurred_on END
), given AS (
    SELECT subject, source, department, max(occurred_on) AS newest, count(*) AS days,
           least(sum(points * 1000 - points * 500 * ($2::date - occurred_on) / ($2::date - $1::date)), cap * 1000)
           AS milli
    FROM weak GROUP BY subject, source, department, cap
), combined AS (
    SELECT subject, max(newest) AS newest, sum(milli) AS milli, count(*) AS sources,
           count(DISTINCT department) AS departments, sum(days) AS days
    FROM given GROUP BY subject
)
INSERT INTO bench_opinion AS o
SELECT subject, true, as_of, 0 FROM strong
UNION ALL
SELECT subject, milli >= $3::int * 1000 AND sources >= $4::int AND departments >= $5::int AND days >= $6::int
       AND newest >= $2::date - $7::int, newest, milli / 1000 FROM combined
ON CONFLICT (subject) DO UPDATE SET certified = excluded.certified, as_of = excluded.as_of, points = excluded.points
WHERE (o.certified, o.as_of, o.points) IS DISTINCT FROM (excluded.certified, excluded.as_of, excluded.points)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a measuring process needs; `folder` is where the messages lie."""

    url: str
    people: int
    rows: int
    folder: Path


def said(job: Job) -> int:
    """Write the messages that both sides hear."""
    return scoring.write_messages(job.folder, people=job.people, rows=job.rows)


def ours(job: Job) -> dict[str, float]:
    """The figures of `tests.bench.scoring`, with the bytes a signal takes, the certified and the peak of memory."""
    return asyncio.run(_ours(job))


def theirs(job: Job) -> dict[str, float]:
    """The same work by hand, with figures of the same names."""
    return asyncio.run(_theirs(job))


async def _ours(job: Job) -> dict[str, float]:
    database = Database(job.url, schema="scoring", statement_seconds=600)
    figures = await scoring.measure(database, job.folder)
    async with database.read() as tx:
        row = (await tx.fetch(
            "SELECT (SELECT count(*) FROM assessment WHERE decision = 'certifiable') AS certified,"
            " pg_total_relation_size('signal_block') / (SELECT sum(rows) FROM signal_block)::float AS bytes"
        ))[0]  # fmt: skip
    await database.close()
    return {**figures, **_plain(row), "peak_mib": peak_mib(os.getpid())}


async def _theirs(job: Job) -> dict[str, float]:
    database = Database(job.url, schema="scoring", statement_seconds=600)
    async with database.write() as tx:
        await tx.run(_TABLES)
        sources = await _fill_sources(tx)
    started = time.perf_counter()
    rows = 0
    for body in scoring.read_messages(job.folder):
        table = arrow.decode(body)
        rows += table.num_rows
        async with database.write() as tx:
            await _merge(tx, table, sources)
    figures = {"signals_merged_per_second": rows / (time.perf_counter() - started)}
    async with database.read() as tx:
        stored, size = await tx.fetch("SELECT count(*) AS n FROM bench_signal"), await tx.fetch(
            "SELECT pg_total_relation_size('bench_signal') AS n")  # fmt: skip
    figures["bytes"] = size[0]["n"] / stored[0]["n"]
    figures |= await _assessed(database, stored[0]["n"])
    await database.close()
    return figures


async def _fill_sources(tx: WriteTx) -> dict[str, int]:
    rules = policies.in_force(policies.load(), "standard", scoring.TODAY)
    for number, (source, department, strength, _) in enumerate(scoring.SOURCES):
        worth = rules.worth_of(source, strong=strength == "strong")
        await tx.run(
            "INSERT INTO bench_source VALUES ($1, $2, $3, $4, $5, $6)",
            number, strength == "strong", department, worth.points, worth.cap, worth.per is Per.MONTH,
        )  # fmt: skip
    return {each[0]: number for number, each in enumerate(scoring.SOURCES)}


async def _merge(tx: WriteTx, table: pa.Table, sources: Mapping[str, int]) -> None:
    """One message in one transaction, as ours."""
    number = sources[arrow.attributes_of(table)["source"]]
    await tx.run("CREATE TEMP TABLE bench_arrived (LIKE bench_signal) ON COMMIT DROP")
    await tx.copy(
        "bench_arrived",
        pa.table(
            {
                "subject": table.column("subject"),
                "source": pa.array([number] * table.num_rows, pa.int16()),
                "occurred_on": table.column("occurred_on"),
                "seen": pc.equal(table.column("kind").cast(pa.string()), "seen"),
                "evidence_id": table.column("evidence_id"),
            }
        ),
    )
    await tx.run("INSERT INTO bench_signal SELECT * FROM bench_arrived ON CONFLICT DO NOTHING")


async def _assessed(database: Database, rows: int) -> dict[str, float]:
    """The first time fills the opinions and is not counted: ours has them from the sweep."""
    figures: dict[str, float] = {}
    limits = astuple(policies.in_force(policies.load(), "standard", scoring.TODAY).thresholds)
    await _vacuum(database)
    for name, day in (("", scoring.TODAY), ("same_day", scoring.TODAY), ("a_week_later", _later(scoring.TODAY))):
        started = time.perf_counter()
        async with database.write() as tx:
            await tx.run("SET LOCAL work_mem = '256MB'")
            await tx.run("SET LOCAL statement_timeout = 0")
            await tx.fetch(_ASSESS, day.replace(year=day.year - 1), day, *limits)
        if name:
            figures[f"signals_assessed_anew_per_second_{name}"] = rows / (time.perf_counter() - started)
        else:
            await _vacuum(database)
    async with database.read() as tx:
        figures |= _plain(
            (await tx.fetch("SELECT count(*) FILTER (WHERE certified) AS certified FROM bench_opinion"))[0]
        )
    return figures


async def _vacuum(database: Database) -> None:
    async with database.engine.connect() as connection:
        for name in ("bench_signal", "bench_opinion"):
            await connection.exec_driver_sql(f"VACUUM ANALYZE {name}")


def _later(day: date) -> date:
    return day + timedelta(days=7)


def _plain(row: Any) -> dict[str, float]:
    return {name: float(value) for name, value in dict(row).items()}
