"""Files → evidence committed and said, beside COPY of the same rows ready-made and polars reading the same file."""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from services.ingest.domain import citizen_id
from services.ingest.domain.columns import texts_of
from shared.kit import arrow, migrations
from shared.kit.db import Database
from tests.bench.machine import peak_mib
from tests.services.ingest.world import VILLAGE, make_world
from tests.support.servers import shared_servers, unused_name
from tests.support.tokens import Issuer

ROWS, PEOPLE = 2_000_000, 100_000
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What the measured process needs: files, and a database of its own."""

    url: str
    folder: Path
    rows: int


def _numbers(people: int) -> pl.Series:
    """Good ids of people born from 1930 on."""
    place = np.arange(people)
    born = np.datetime64("1930-01-01") + (place % 12_000).astype("timedelta64[D]")
    days = pl.Series(born).cast(pl.Date).dt.strftime("%Y%m%d")
    body = (
        pl.Series(341600 + place // 12_000).cast(pl.String)
        + days
        + pl.Series(place % 1000).cast(pl.String).str.zfill(3)
    )
    digits = np.frombuffer("".join(body.to_list()).encode(), dtype=np.uint8).reshape(-1, 17)
    return texts_of(np.hstack([digits, citizen_id.check_digits(digits)[:, None]]))


def _write_files(folder: Path, rows: int, people: int) -> None:
    numbers, chance = _numbers(people), np.random.default_rng(7)
    pl.DataFrame(
        {
            "身份证号": numbers,
            "姓名": pl.Series(["张三"]).gather(np.zeros(people, dtype=np.int64)),
            "村居代码": pl.Series([VILLAGE]).gather(np.zeros(people, dtype=np.int64)),
            "待遇金额": pl.Series(["220.00"]).gather(np.zeros(people, dtype=np.int64)),
        }
    ).write_csv(folder / "roster.csv")
    second = chance.integers(0, 300 * 86_400, rows).astype("timedelta64[s]")
    bought = pl.Series((np.datetime64("2023-01-01T00:00:00", "s") + second).astype("datetime64[ms]"))
    shop = pl.Series(chance.integers(100_000, 999_999, rows)).cast(pl.String)
    pl.DataFrame(
        {
            "流水号": pl.Series(np.arange(rows)).cast(pl.String).str.zfill(12),
            "身份证号": numbers.gather(chance.integers(0, people, rows)),
            "购药时间": bought.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "药店编码": "P" + shop,
            "金额": pl.Series(chance.integers(100, 50_000, rows) / 100).cast(pl.String),
        }
    ).write_csv(folder / "pharmacy.csv")


async def _upload(world: Any, path: str, file: Path) -> dict[str, Any]:
    async def pieces() -> Any:
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                yield piece

    headers = world.issuer.headers("ingest.upload")
    answer = await world.client.post(path, content=pieces(), headers=headers, timeout=600)
    assert answer.status_code == 201, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def _ingest(job: _Job) -> dict[str, float]:
    database = Database(job.url, schema="ingest")
    world = make_world(
        database,
        Issuer(),
        job.folder,
        ingest_chunk_rows=300_000,
        ingest_max_upload_bytes=1 << 31,
        ingest_max_plain_bytes=1 << 33,
        ingest_max_line_bytes=65_536,
    )
    async with world.client:
        await _upload(world, "/v1/programs/resident_pension/roster", job.folder / "roster.csv")
        started, busy = time.perf_counter(), time.process_time()
        said = await _upload(world, "/v1/sources/medins_pharmacy/batches", job.folder / "pharmacy.csv")
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    assert said["rows"] == job.rows
    assert said["accepted"] + said["duplicate"] == job.rows
    await database.close()
    return {"seconds": seconds, "cpu": busy, "peak_mib": peak_mib(os.getpid()), "accepted": said["accepted"]}


async def _copy(job: _Job) -> dict[str, float]:
    """COPY of the accepted rows, ready-made, into a plain table."""
    database = Database(job.url, schema="ingest")
    chance = np.random.default_rng(3)
    subjects = chance.integers(0, 256, (job.rows, 16), dtype=np.uint8)
    table = pa.table(
        {
            "subject": arrow.subject_array(subjects),
            "occurred_on": pa.array(chance.integers(19_000, 19_300, job.rows).astype(np.int32), pa.date32()),
            "kind": pa.array(np.zeros(job.rows, dtype=np.int16)),
            "evidence_id": pa.array(np.arange(job.rows)),
        }
    )
    async with database.write() as tx:
        await tx.run("CREATE TABLE plain (subject uuid, occurred_on date, kind smallint, evidence_id bigint)")
    started = time.perf_counter()
    async with database.write() as tx:
        await tx.copy("plain", table)
    seconds = time.perf_counter() - started
    async with database.write() as tx:
        await tx.run("DROP TABLE plain")
    await database.close()
    return {"seconds": seconds}


def _read(job: _Job) -> dict[str, float]:
    started = time.perf_counter()
    frame = pl.scan_csv(job.folder / "pharmacy.csv", infer_schema=False)
    rows = sum(len(part) for part in frame.collect_batches(chunk_size=300_000, maintain_order=True, lazy=True))
    assert rows == job.rows
    return {"seconds": time.perf_counter() - started}


def _ingest_now(job: _Job) -> dict[str, float]:
    return asyncio.run(_ingest(job))


def _copy_now(job: _Job) -> dict[str, float]:
    return asyncio.run(_copy(job))


def _alone(work: Callable[[_Job], dict[str, float]], job: _Job) -> dict[str, float]:
    """The result of work in a process of its own, so that its peak of memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (job,))


def rows(*, count: int = ROWS, people: int = PEOPLE) -> list[dict[str, object]]:
    """The figures: name, rows a second, and what they are measured beside."""
    with tempfile.TemporaryDirectory() as kept, shared_servers(Path(kept), nats=False) as servers:
        folder = Path(kept)
        _write_files(folder, count, people)
        databases = servers.create_database(unused_name())
        asyncio.run(migrations.upgrade("ingest", databases.url("ingest")))
        job = _Job(url=databases.url("ingest"), folder=folder, rows=count)
        read, copied, taken = _alone(_read, job), _alone(_copy_now, job), _alone(_ingest_now, job)
        databases.drop()
    speed = {name: round(count / each["seconds"]) for name, each in
             {"read": read, "copy": copied, "take": taken}.items()}  # fmt: skip
    return [
        {"name": "ingest: CSV file to evidence committed and said", "unit": "rows/s", "value": speed["take"],
         "target": 250_000, "baseline": "COPY of ready-made rows", "baseline_value": speed["copy"]},
        {"name": "ingest: the same beside polars reading the file", "unit": "rows/s", "value": speed["take"],
         "target": 250_000, "baseline": "polars reading, doing nothing", "baseline_value": speed["read"]},
        {"name": "ingest: peak memory of the process", "unit": "MiB", "value": round(taken["peak_mib"]), "target": 600,
         "baseline": "", "baseline_value": None},
        {"name": "ingest: processor time of the service", "unit": "s", "value": round(taken["cpu"], 2), "target": None,
         "baseline": "wall time", "baseline_value": round(taken["seconds"], 2)},
    ]  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(row)
