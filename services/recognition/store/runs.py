"""Certification runs: who has to be looked for, found shard by shard as sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.states import RunState
from services.recognition.store.hearing import Cycles
from shared.kit.db import ReadTx, WriteTx

SHARD_COUNT = 16

_FIND_DUE = """
WITH per_program AS (
    SELECT e.subject, e.program, e.division, e.group_no, e.born_on, ($3::int[])[p.at] AS warning,
           GREATEST(b.until, COALESCE(e.due_on, CASE WHEN b.until IS NULL
               THEN valid_until(COALESCE(e.started_on, $6), ($2::int[])[p.at], NULL) END)) AS until
    FROM enrolment e
    CROSS JOIN LATERAL (SELECT array_position($1::text[], e.program) AS at OFFSET 0) p
    LEFT JOIN LATERAL (
        SELECT max(valid_until(h.as_of, ($2::int[])[p.at], NULLIF(h.cap_months, 0)::int)) AS until
        FROM holding h WHERE h.subject = e.subject AND h.claim = 'alive'
    ) b ON true
    WHERE p.at IS NOT NULL AND e.subject BETWEEN $4 AND $5 AND e.listed
        AND e.status IN ('active', 'notice_of_intended_stop') AND NOT e.decision_owed
        AND NOT EXISTS (SELECT FROM standing s WHERE s.subject = e.subject AND s.under_review)
), person AS (
    SELECT DISTINCT ON (subject) subject, until AS due_on, division, group_no, born_on,
           count(*) OVER (PARTITION BY subject) AS programs
    FROM per_program WHERE until <= $6::date + warning ORDER BY subject, until, program
), noted AS (
    INSERT INTO due (subject, due_on, run_id, run_on, said_on) SELECT subject, due_on, $7, $6, $6 FROM person
    ON CONFLICT (subject) DO UPDATE SET
        said_on = excluded.said_on, cleared_on = NULL,
        due_on = CASE WHEN due.cleared_on IS NULL THEN LEAST(due.due_on, excluded.due_on) ELSE excluded.due_on END,
        run_id = CASE WHEN due.cleared_on IS NULL THEN due.run_id ELSE excluded.run_id END,
        run_on = CASE WHEN due.cleared_on IS NULL THEN due.run_on ELSE excluded.run_on END,
        task_id = CASE WHEN due.cleared_on IS NULL THEN due.task_id END,
        task_due_on = CASE WHEN due.cleared_on IS NULL THEN due.task_due_on END
    WHERE due.cleared_on IS NOT NULL
        OR due_step(excluded.due_on, due.said_on) > due_step(excluded.due_on, excluded.said_on)
    RETURNING subject, run_id
)
SELECT uuid_send(p.subject) AS subject, p.due_on, p.division, p.group_no, p.born_on, p.programs::smallint AS programs,
       n.run_id AS looked_for
FROM person p LEFT JOIN noted n ON n.subject = p.subject
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A certification run and how far it is."""

    run_id: UUID
    run_on: date
    state: RunState
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    shards_done: int
    due: int
    said: int


_COLUMNS = "run_id, run_on, state, requested_by, requested_at, finished_at, shards_done, due, said"


def _run(row: asyncpg.Record) -> Run:
    return Run(**{**row, "state": RunState(row["state"])})


def shard_bounds(shard: int) -> tuple[UUID, UUID]:
    """First and last possible subject of a shard."""
    return UUID(int=shard << 124), UUID(int=((shard + 1) << 124) - 1)


async def add_run(tx: WriteTx, *, run_id: UUID, run_on: date, requested_by: str, at: datetime) -> None:
    """Queue a run."""
    await tx.run(
        "INSERT INTO certification_run (run_id, run_on, state, requested_by, requested_at) "
        "VALUES ($1, $2, 'queued', $3, $4)",
        run_id,
        run_on,
        requested_by,
        at,
    )


async def find_run(tx: ReadTx, run_id: UUID) -> Run | None:
    """One run."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM certification_run WHERE run_id = $1", run_id)  # noqa: S608
    return _run(rows[0]) if rows else None


async def find_pending(tx: ReadTx, run_on: date) -> Run | None:
    """The run of a day that is still under way."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM certification_run WHERE state IN ('queued', 'running') AND run_on = $1 "  # noqa: S608
        "ORDER BY requested_at LIMIT 1",
        run_on,
    )
    return _run(rows[0]) if rows else None


async def last_run_on(tx: ReadTx) -> date | None:
    """Day of the newest run that was not given up."""
    rows = await tx.fetch(
        "SELECT max(run_on) AS run_on FROM certification_run WHERE state NOT IN ('failed', 'cancelled')"
    )
    return rows[0]["run_on"] if rows else None


async def count_pending(tx: ReadTx) -> int:
    """Runs under way."""
    rows = await tx.fetch("SELECT count(*) AS runs FROM certification_run WHERE state IN ('queued', 'running')")
    return int(rows[0]["runs"])


async def take_pending(tx: WriteTx) -> Run | None:
    """The oldest run under way, held against other processes until the end of the transaction."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM certification_run WHERE state IN ('queued', 'running') "  # noqa: S608
        "ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return _run(rows[0]) if rows else None


async def find_due(tx: WriteTx, run: Run, shard: int, cycles: Cycles) -> Sequence[asyncpg.Record]:
    """People of a shard whose certification runs out and nobody looks into; noted.

    `looked_for` is the run that first looked for a person who is to be told of: whoever is new, and whose end has come
    a step nearer, ninety, sixty, thirty days; null for all others.
    """
    first, last = shard_bounds(shard)
    return await tx.fetch(_FIND_DUE, cycles.codes, cycles.months, cycles.warnings, first, last, run.run_on, run.run_id)


async def advance(tx: WriteTx, run: Run, *, due: int, said: int, at: datetime) -> None:
    """Note that one more shard is done; after the last the run has succeeded."""
    await tx.run(
        "UPDATE certification_run SET shards_done = shards_done + 1, due = due + $2, said = said + $3, "
        "state = CASE WHEN shards_done + 1 >= $4 THEN 'succeeded' ELSE 'running' END, "
        "finished_at = CASE WHEN shards_done + 1 >= $4 THEN $5::timestamptz END WHERE run_id = $1",
        run.run_id,
        due,
        said,
        SHARD_COUNT,
        at,
    )
