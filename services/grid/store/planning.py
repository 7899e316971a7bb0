"""The morning's plan, and how urgent open visits are."""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from services.grid.store.staging import stage
from shared.kit.db import ReadTx, WriteTx

CANDIDATES = {"subject": pl.Binary, "born_on": pl.Date, "sex": pl.String, "due_on": pl.Date}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What lies in somebody's hands in a town."""

    town: str
    worker_id: str
    people: int
    overdue: int
    due_soon: int


async def claim_morning(tx: WriteTx, day: date, now: datetime) -> bool:
    """Whether this morning's plan is still to be told; whoever asks first tells it."""
    tag = await tx.run("INSERT INTO workdays (day, planned_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", day, now)
    return tag.endswith("1")


async def loads(tx: ReadTx, today: date, soon: date) -> list[Load]:
    """Open work by town and person, and what of it is due until `soon`; who stands in for somebody today has it."""
    rows = await tx.fetch(
        """
        SELECT left(t.division, 9) AS town, coalesce(s.substitute_id, t.worker_id) AS worker_id,
            count(DISTINCT t.subject) AS people,
            count(*) FILTER (WHERE t.rung <> 'member' OR t.deadline_on < $1) AS overdue,
            count(*) FILTER (WHERE t.rung = 'member' AND t.deadline_on BETWEEN $1 AND $2) AS due_soon
        FROM tasks t LEFT JOIN substitutions s ON s.worker_id = t.worker_id AND $1 BETWEEN s.from_on AND s.until_on
        WHERE t.state IN ('dispatched', 'accepted', 'returned') AND t.division IS NOT NULL
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        today,
        soon,
    )
    return [Load(**row) for row in rows]


async def unordered(tx: ReadTx, stale: date, limit: int) -> pl.DataFrame:
    """People with open visits that have no order, or one from before `stale`, as `CANDIDATES`.

    Suspicions and requests go first anyway.
    """
    rows = await tx.fetch(
        """
        SELECT t.subject, max(t.born_on) AS born_on, max(t.due_on) AS due_on,
            (SELECT r.sex FROM recipients r WHERE r.subject = t.subject AND r.sex IS NOT NULL LIMIT 1) AS sex
        FROM (SELECT * FROM (SELECT subject, born_on, due_on FROM tasks WHERE state <> 'closed'
                AND reason IN ('unmatched', 'sample') AND ordered_on IS NULL LIMIT $2) never
            UNION ALL SELECT * FROM (SELECT subject, born_on, due_on FROM tasks WHERE state <> 'closed'
                AND reason IN ('unmatched', 'sample') AND ordered_on < $1 LIMIT $2) before
            LIMIT $2) t GROUP BY t.subject ORDER BY t.subject
        """,
        stale,
        limit,
    )
    return pl.DataFrame(
        [(row["subject"].bytes, row["born_on"], row["sex"], row["due_on"]) for row in rows],
        schema=CANDIDATES,
        orient="row",
    )


async def save_order(tx: WriteTx, rows: pl.DataFrame, *, today: date, now: datetime) -> None:
    """Keep how urgent these people's visits are: subject, priority, and why (reason codes, a comma between two)."""
    staged = await stage(tx, "staged_order", rows)
    await staged.run(
        tx,
        "UPDATE tasks t SET priority = o.priority, ordered_on = $1, visit_reasons = string_to_array(o.why, ','), "
        "changed_at = CASE WHEN t.priority = o.priority THEN t.changed_at ELSE $2 END FROM staged_order o "
        "WHERE t.subject = o.subject AND t.state <> 'closed' AND t.reason IN ('unmatched', 'sample')",
        today,
        now,
    )
