"""Whole programs and pay lists: one process of the real service, asked over HTTP, beside the same by hand in SQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
import polars as pl
import pyarrow as pa

from deploy.local.ports import HOST
from deploy.local.stack import LocalStack
from services.recognition.store import payments
from shared.kit import arrow
from shared.kit.db import Database, WriteTx
from tests.bench import serving
from tests.bench.bare_app import CYCLE_MONTHS, NOW, TODAY
from tests.bench.figures import Budget, Figure, figure, in_turn
from tests.bench.machine import peak_mib
from tests.bench.serving import PROGRAM, Side

PEOPLE = 1_360_000
_MONTH, _HAND_MONTH = date(2023, 11, 1), date(2023, 12, 1)
_LOOK_SECONDS, _WAIT_SECONDS, _PIECE = 0.05, 300.0, 1 << 20
_FEN = 20_000

# Every tenth is not certified, every hundredth under review.
_FILL = (
    """
    INSERT INTO enrolment (subject, program, listed, amount_fen, division, received_at)
    SELECT subject, $1, true, $2, '341602001001', $3 FROM person ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO standing (subject, decision, said_at)
    SELECT subject, CASE WHEN place % 100 = 1 THEN 'suspected' ELSE 'certifiable' END, $3 FROM person
    WHERE $1::text <> '' AND $2::bigint > 0 ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO holding (subject, claim, cap_months, as_of, certificate_id, channel, strength)
    SELECT subject, 'alive', 0, $3::date - 50, gen_random_uuid(), 'data', 'strong' FROM person
    WHERE place % 10 <> 0 AND $1::text <> '' AND $2::bigint > 0 ON CONFLICT DO NOTHING
    """,
)

_BEST = """
best AS (
    SELECT DISTINCT ON (subject) subject, certificate_id, as_of, channel,
           valid_until(as_of, $2::int, NULLIF(cap_months, 0)::int) AS until
    FROM holding WHERE claim = 'alive' ORDER BY subject, until DESC, as_of DESC
)
"""
_LOGGED = """
logged AS (
    INSERT INTO usage (at, client_id, user_ref, action, program, subject, purpose, legal_basis, answer, request_id)
    SELECT $4::timestamptz, 'hand', 'hand', 'job', $1::text, subject, 'pay', 'law', answer, 'hand' FROM seen
)
"""

_JOB = f"""
WITH {_BEST}, seen AS (
    SELECT e.subject, e.program, b.as_of, b.until, b.certificate_id, b.channel,
           answer(e.listed, e.status, COALESCE(s.under_review, false), b.until, b.as_of, $3::date, NULL) AS answer
    FROM enrolment e
    LEFT JOIN standing s ON s.subject = e.subject
    LEFT JOIN best b ON b.subject = e.subject
    WHERE e.program = $1 AND e.listed
), {_LOGGED}
SELECT row_to_json(seen) FROM seen
"""

_PAY = f"""
WITH {_BEST}, seen AS (
    SELECT l.line, l.subject, l.amount_fen,
           CASE WHEN e.status IN ('suspended', 'terminated') AND d.stops_from <= $5::date THEN 'stop'
                WHEN e.listed IS NOT TRUE OR p.subject IS NOT NULL
                     OR e.decision_owed THEN 'hold'
                ELSE 'pay' END AS answer,
           b.until < $3::date AS not_certified, s.under_review, e.amount_fen <> l.amount_fen AS amount_differs
    FROM list l
    LEFT JOIN enrolment e ON e.subject = l.subject AND e.program = $1
    LEFT JOIN decision d ON d.decision_id = e.decision_id
    LEFT JOIN standing s ON s.subject = l.subject
    LEFT JOIN payment p ON p.subject = l.subject AND p.program = $1 AND p.month = $5::date
    LEFT JOIN best b ON b.subject = l.subject
), {_LOGGED}
SELECT row_to_json(seen) FROM seen ORDER BY line
"""

_PAID = """
INSERT INTO payment (subject, program, month, payrun_id, amount_fen, paid_on, recorded_at)
SELECT subject, $1, $2::date, gen_random_uuid(), amount_fen, $2::date, $3 FROM list
"""


async def measure(stack: LocalStack, folder: Path, *, people: int, times: int) -> list[Figure]:
    """A job over everybody and a pay list of everybody. The stack knows recognition, which has been stopped."""
    ids = serving.ids_of(people)
    subjects = serving.pseudonymiser(stack).many(ids)
    database = Database(stack.database_url("recognition"), schema="recognition", statement_seconds=600)
    try:
        await _fill(database, subjects)
        with serving.running(serving.our_service(stack), folder / "paying.log") as (process, port):
            side = Side(process=process, port=port, headers={})
            await serving.until_ready(side, "/readyz")
            async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=_WAIT_SECONDS) as http:
                bench = _Bench(stack, side, http, database, folder)
                bench.write_list(ids)
                figures = [*await bench.jobs(people, times), *await bench.lists(subjects, times)]
            peak = figure(
                "peak memory of the process", "MiB", peak_mib(process.pid), budget=Budget(of="ours", most=600)
            )
    finally:
        await database.close()
    return [*figures, peak]


async def _fill(database: Database, subjects: np.ndarray) -> None:
    async with database.write() as tx:
        await _copy(tx, "person", place=pa.array(np.arange(len(subjects))), subject=arrow.subject_array(subjects))
        for statement in _FILL:
            await tx.run(statement, PROGRAM, _FEN, NOW)
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE")


async def _copy(tx: WriteTx, name: str, **columns: pa.Array) -> None:
    kinds = {"place": "bigint", "line": "bigint", "subject": "uuid", "amount_fen": "bigint"}
    declared = ", ".join(f"{column} {kinds[column]}" for column in columns)
    await tx.run(f"CREATE TEMP TABLE {name} ({declared}) ON COMMIT DROP")
    await tx.copy(name, pa.table(columns))
    await tx.run(f"ANALYZE {name}")


class _Bench:
    def __init__(
        self, stack: LocalStack, side: Side, http: httpx.AsyncClient, database: Database, folder: Path
    ) -> None:
        self._stack, self._side, self._http, self._database, self._folder = stack, side, http, database, folder
        self._months = iter([_MONTH, *(date(2024, month, 1) for month in range(1, 7))])
        self._confirmed: list[float] = []

    def write_list(self, ids: Sequence[str]) -> None:
        """The list about to be paid, as a department exports it."""
        amounts = pl.repeat(f"{_FEN / 100:.2f}", len(ids), eager=True)
        pl.DataFrame({"citizen_id": ids, "amount": amounts}).write_csv(self._folder / "list.csv")

    async def jobs(self, people: int, times: int) -> list[Figure]:
        """Everybody of a program."""
        mine, theirs = await in_turn(self._job, lambda: self._by_hand(_JOB, ()), times)
        return [
            figure("whole-program job, asked to fetched", "people/s", _rates(people, mine), _rates(people, theirs),
                   budget=Budget(of="ours", least=30_000), note=f"one statement that looks up, logs and {_TO_JSON}"),
        ]  # fmt: skip

    async def lists(self, subjects: np.ndarray, times: int) -> list[Figure]:
        """Everybody about to be paid, and paid."""
        amounts = pa.array(np.full(len(subjects), _FEN, dtype=np.int64))
        self._list = {
            "line": pa.array(np.arange(1, len(subjects) + 1)),
            "subject": arrow.subject_array(subjects),
            "amount_fen": amounts,
        }
        mine, theirs = await in_turn(self._payrun, lambda: self._by_hand(_PAY, (_HAND_MONTH,)), times)
        people = len(subjects)
        return [
            figure("pay list, posted to fetched", "people/s", _rates(people, mine), _rates(people, theirs),
                   budget=Budget(of="ours", least=30_000),
                   note="the list as ready-made columns by binary COPY (no ids to check and hash, no lines to judge), then "
                        f"one statement that looks up, logs and {_TO_JSON}"),
            figure("payments of a confirmed list kept", "people/s", _rates(people, self._confirmed),
                   people / await self._paid_by_hand(), note="the list by binary COPY, then one INSERT … SELECT"),
        ]  # fmt: skip

    # ---- ours --------------------------------------------------------------------------------------------------------

    async def _job(self) -> float:
        self._http.headers.update(await serving.token(self._stack, self._side.port))
        started = time.perf_counter()
        asked = await self._http.post("/v1/jobs", params={"program": PROGRAM})
        return await self._fetched(asked, lambda said: said["state"] == "succeeded", started)

    async def _payrun(self) -> float:
        self._http.headers.update(await serving.token(self._stack, self._side.port))
        started, month = time.perf_counter(), next(self._months)
        asked = await self._http.post("/v1/payruns", params={"program": PROGRAM, "month": f"{month:%Y-%m}"},
                                      content=self._pieces(), headers={"Content-Type": "text/csv"})  # fmt: skip
        seconds = await self._fetched(asked, lambda said: said["state"] == "advised", started)
        started = time.perf_counter()
        confirmed = await self._http.post(f"{_place(asked)}:confirm", json={"paid_on": TODAY.isoformat()})
        await self._until(confirmed, lambda said: said["state"] == "confirmed")
        self._confirmed.append(time.perf_counter() - started)
        return seconds

    async def _pieces(self) -> AsyncIterator[bytes]:
        with (self._folder / "list.csv").open("rb") as opened:
            while piece := opened.read(_PIECE):
                yield piece

    async def _fetched(self, asked: httpx.Response, done: Callable[[Mapping[str, Any]], bool], started: float) -> float:
        said = await self._until(asked, done)
        async with self._http.stream("GET", said["result"]["href"]) as answer:
            answer.raise_for_status()
            with (self._folder / "ours.ndjson").open("wb") as out:
                async for piece in answer.aiter_bytes(_PIECE):
                    out.write(piece)
        return time.perf_counter() - started

    async def _until(self, asked: httpx.Response, done: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        if asked.status_code != httpx.codes.ACCEPTED:
            raise RuntimeError(asked.text)
        async with asyncio.timeout(_WAIT_SECONDS):
            while True:
                said: Mapping[str, Any] = (await self._http.get(_place(asked))).json()
                if done(said):
                    return said
                if said["state"] in {"failed", "cancelled"}:
                    raise RuntimeError(said)
                await asyncio.sleep(_LOOK_SECONDS)

    # ---- by hand -----------------------------------------------------------------------------------------------------

    async def _by_hand(self, statement: str, more: Sequence[object]) -> float:
        return await self._alone(lambda tx: self._one_statement(tx, statement, more))

    async def _one_statement(self, tx: WriteTx, statement: str, more: Sequence[object]) -> None:
        if more:
            await _copy(tx, "list", **self._list)
        driver: asyncpg.Connection = await tx.driver()
        await driver.copy_from_query(statement, PROGRAM, CYCLE_MONTHS, TODAY, NOW, *more,
                                     output=self._folder / "hand.ndjson", format="text")  # fmt: skip

    async def _paid_by_hand(self) -> float:
        async with self._database.write() as tx:
            await payments.prepare_month(tx, _HAND_MONTH)

        async def keep(tx: WriteTx) -> None:
            await _copy(tx, "list", **self._list)
            await tx.run(_PAID, PROGRAM, _HAND_MONTH, NOW)

        return await self._alone(keep)

    async def _alone(self, work: Callable[[WriteTx], Awaitable[None]]) -> float:
        with serving.asleep(self._side):
            started = time.perf_counter()
            async with self._database.write() as tx:
                await work(tx)
            return time.perf_counter() - started


_TO_JSON = "COPYs JSON to a file: no pseudonyms, no sealed references, no claims, no digest, nothing that a crash in the middle leaves"


def _place(asked: httpx.Response) -> str:
    return asked.headers["Location"].partition("?")[0]


def _rates(people: int, seconds: Sequence[float]) -> list[float]:
    return [people / each for each in seconds]
