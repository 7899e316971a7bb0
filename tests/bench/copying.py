"""The COPY floor: evidence as columnar segments (ADR 0009) beside rows in a plain table and rows with a unique key."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa

from services.ingest.domain import evidence
from services.ingest.store import segments
from services.ingest.store.batches import Batch
from services.ingest.store.segments import Segment
from services.scoring.store import signals
from shared.contracts.events import EVIDENCE_ACCEPTED
from shared.kit import arrow
from shared.kit.db import Database, WriteTx
from tests.bench.figures import Figure, figure

ROWS, PEOPLE, SOURCES = 1_000_000, 200_000, 10
_FIRST_DAY = 19_298  # 2022-11-02 in days since 1970
_TABLES = """
CREATE TABLE bench_plain (subject uuid NOT NULL, source smallint NOT NULL, occurred_on date NOT NULL,
                          evidence_id bigint NOT NULL);
CREATE TABLE bench_keyed (subject uuid NOT NULL, source smallint NOT NULL, occurred_on date NOT NULL,
                          evidence_id bigint NOT NULL, PRIMARY KEY (subject, source, occurred_on))
"""
# What the store reads of a batch when it keeps segments.
_BATCH = cast(Batch, SimpleNamespace(code="bench", batch_no=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The rows every side keeps, made before the clock runs."""

    subjects: np.ndarray
    person: np.ndarray
    source: np.ndarray
    day: np.ndarray

    def of_source(self, number: int) -> np.ndarray:
        return np.flatnonzero(self.source == number)

    @property
    def table(self) -> pa.Table:
        """As a person who writes COPY by hand would have them."""
        return pa.table(
            {
                "subject": arrow.subject_array(self.subjects[self.person]),
                "source": pa.array(self.source.astype(np.int16)),
                "occurred_on": pa.array(self.day, pa.date32()),
                "evidence_id": pa.array(np.arange(len(self.day), dtype=np.int64)),
            }
        )


def _made(count: int) -> _Rows:
    chance, people = np.random.default_rng(5), max(count * PEOPLE // ROWS, 1)
    return _Rows(
        subjects=chance.integers(0, 256, (people, 16), dtype=np.uint8),
        person=chance.integers(0, people, count),
        source=chance.integers(0, SOURCES, count),
        day=(_FIRST_DAY + chance.integers(0, 364, count)).astype(np.int32),
    )


def _messages(rows: _Rows) -> list[tuple[pa.Table, dict[str, str]]]:
    made = []
    for number in range(SOURCES):
        some = rows.of_source(number)
        words = {"kind": "seen", "polarity": "positive", "identity": "full"}
        table = pa.table(
            {
                "subject": arrow.subject_array(rows.subjects[rows.person[some]]),
                "occurred_on": pa.array(rows.day[some], pa.date32()),
                **{
                    name: pa.DictionaryArray.from_arrays(np.zeros(len(some), dtype=np.int8), [word])
                    for name, word in words.items()
                },
                "evidence_id": pa.array(some.astype(np.int64)),
            }
        )
        attributes = {"source": f"s{number}", "department": "d", "strength": "weak", "received_at": "2023-11-01"}
        made.append((table, attributes))
    return made


async def _signal_segments(tx: WriteTx, messages: list[tuple[pa.Table, dict[str, str]]]) -> None:
    for table, attributes in messages:
        for shard, piece, body in arrow.split(arrow.conform(EVIDENCE_ACCEPTED, table, attributes)):
            segment = signals.NewSegment(shard=int(shard, 16), rows=piece.num_rows, urgent=False, body=body)
            await signals.append(tx, [segment])


async def _evidence_segments(tx: WriteTx, rows: _Rows) -> None:
    """As ingest keeps a chunk: a segment for each month, people by their number."""
    for number in range(SOURCES):
        some = rows.of_source(number)
        keys = evidence.keys_of(rows.person[some], rows.day[some])
        months = evidence.months_of(rows.day[some])
        order = np.argsort(months, kind="stable")
        table = pa.table(
            {
                "key": keys[order],
                "row_no": some[order].astype(np.uint32),
                "kind": pa.DictionaryArray.from_arrays(np.zeros(len(some), dtype=np.int8), ["seen"]),
                "full": np.ones(len(some), dtype=bool),
            }
        )
        distinct, starts = np.unique(months[order], return_index=True)
        cut = [table.slice(start, stop - start) for start, stop in zip(starts, [*starts[1:], len(some)], strict=True)]
        made = [
            Segment(month=int(month), rows=piece.num_rows, body=arrow.encode(piece))
            for month, piece in zip(distinct, cut, strict=True)
        ]
        await segments.save_rows(tx, "evidence_segment", _BATCH, number, made)


async def _keyed_rows(tx: WriteTx, table: pa.Table) -> None:
    await tx.run("CREATE TEMP TABLE bench_arrived (LIKE bench_plain) ON COMMIT DROP")
    await tx.copy("bench_arrived", table)
    await tx.run("INSERT INTO bench_keyed SELECT * FROM bench_arrived ON CONFLICT DO NOTHING")


async def _timed(database: Database, name: str, work: Callable[[WriteTx], Awaitable[object]]) -> tuple[float, int]:
    """Seconds of one transaction and the bytes it left in an empty table."""
    started = time.perf_counter()
    async with database.write() as tx:
        await work(tx)
    seconds = time.perf_counter() - started
    async with database.write() as tx:
        size = (await tx.fetch("SELECT pg_total_relation_size($1::text::regclass) AS size", name))[0]["size"]
        await tx.run(f"TRUNCATE {name}")
    return seconds, size


async def measure(scoring: Database, ingest: Database, *, count: int = ROWS, times: int = 3) -> list[Figure]:
    """Rows a second and bytes a row, on migrated, empty schemas of both services."""
    rows = _made(count)
    table, messages = rows.table, _messages(rows)
    async with scoring.write() as tx:
        await tx.run(_TABLES)
    sides: dict[str, tuple[Database, str, Callable[[WriteTx], Awaitable[object]]]] = {
        "signals": (scoring, "signal_segment", lambda tx: _signal_segments(tx, messages)),
        "plain": (scoring, "bench_plain", lambda tx: tx.copy("bench_plain", table)),
        "evidence": (ingest, "evidence_segment", lambda tx: _evidence_segments(tx, rows)),
        "keyed": (scoring, "bench_keyed", lambda tx: _keyed_rows(tx, table)),
    }
    runs: dict[str, list[tuple[float, int]]] = {name: [] for name in sides}
    for _ in range(times):
        for name, side in sides.items():
            runs[name].append(await _timed(*side))
    speed = {name: [count / seconds for seconds, _ in each] for name, each in runs.items()}
    size = {name: each[-1][1] / count for name, each in runs.items()}
    return _figures(speed, size)


def _figures(speed: dict[str, list[float]], size: dict[str, float]) -> list[Figure]:
    floor = "binary COPY of ready-made columns into a table without any index: no check for duplicates, no look-up"
    keyed = "COPY into a temporary table and INSERT … ON CONFLICT into one with the key (subject, source, day)"
    person = "; a person stands by number, his subject once in the vault's table"
    return [
        figure("scoring's segments beside the COPY floor", "rows/s", speed["signals"], speed["plain"],
               note=f"{floor}. Ours cuts by shard and encodes 16 × {SOURCES} Arrow bodies"),
        figure("scoring's segments beside rows with a unique key", "rows/s", speed["signals"], speed["keyed"],
               note=f"{keyed}: the design ADR 0009 rejects. Ours removes duplicates later, in the sweep (see Scoring)"),
        figure("ingest's segments beside the COPY floor", "rows/s", speed["evidence"], speed["plain"],
               note=f"the same COPY{person}"),
        figure("scoring's segments beside plain rows", "bytes/row", size["signals"], size["plain"],
               note="the table of the COPY floor; indexes and TOAST count on all sides"),
        figure("scoring's segments beside rows with a unique key", "bytes/row", size["signals"], size["keyed"],
               note="the table with the key and its index"),
        figure("ingest's segments beside rows with a unique key", "bytes/row", size["evidence"], size["keyed"],
               note=f"the same table{person}"),
    ]  # fmt: skip
