"""Where people stand in the certification cycles of their programs."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.recognition.store.hearing import Cycles
from shared.kit.db import ReadTx, WriteTx

_FACTS = """
SELECT f.subject, f.program, f.certified_until, f.until, d.run_on, d.task_id, d.task_due_on,
       g.until AS grace_until,
       cycle_state(f.status, f.under_review, f.certified_until, f.until, d.run_on, d.task_id IS NOT NULL,
                   g.until IS NOT NULL, $4::date, ($3::int[])[f.at]) AS state
FROM (
    SELECT e.subject, e.program, e.status, p.at, COALESCE(s.under_review, false) OR e.decision_owed AS under_review,
           b.until AS certified_until,
           GREATEST(b.until, COALESCE(e.due_on, CASE WHEN b.until IS NULL
               THEN valid_until(COALESCE(e.started_on, $4), ($2::int[])[p.at], NULL) END)) AS until
    FROM enrolment e
    CROSS JOIN LATERAL (SELECT array_position($1::text[], e.program) AS at OFFSET 0) p
    LEFT JOIN standing s ON s.subject = e.subject
    LEFT JOIN LATERAL (
        SELECT max(valid_until(h.as_of, ($2::int[])[p.at], NULLIF(h.cap_months, 0)::int)) AS until
        FROM holding h WHERE h.subject = e.subject AND h.claim = 'alive'
    ) b ON true
    WHERE p.at IS NOT NULL AND e.listed AND e.status <> 'terminated' AND {chosen}
) f
LEFT JOIN due d ON d.subject = f.subject AND d.cleared_on IS NULL
CROSS JOIN LATERAL (SELECT grace_until(f.subject, f.program, $4::date) AS until) g
"""

_OF_PERSON = _FACTS.format(chosen="e.subject = $5") + "ORDER BY f.program"
_OF_PROGRAM = _FACTS.format(chosen="e.program = $5 AND ($6::uuid IS NULL OR e.subject > $6)")
_IN_STATE = f"""
SELECT * FROM ({_OF_PROGRAM}) c WHERE c.state = $7 AND in_divisions(subject, program, $9) ORDER BY subject LIMIT $8
"""  # noqa: S608  (our own text)
# Nearly always of everybody, a million people: each is not asked for his division then.
_COUNT = f"""
SELECT state, count(*) AS people FROM ({_OF_PROGRAM}) c
WHERE cardinality($7::text[]) = 0 OR in_divisions(subject, program, $7)
GROUP BY state ORDER BY state
"""  # noqa: S608  (our own text)

_HEARD_TASKS = """
CREATE TEMP TABLE IF NOT EXISTS heard_task (subject uuid, task_id uuid, deadline_on date) ON COMMIT DELETE ROWS
"""


async def list_of_person(
    tx: ReadTx, cycles: Cycles, today: date, subject: UUID, programs: Sequence[str] | None
) -> list[asyncpg.Record]:
    """The cycles of a person in these programs, in all where `programs` is None, by program."""
    rows = await tx.fetch(_OF_PERSON, cycles.codes, cycles.months, cycles.warnings, today, subject)
    return [row for row in rows if programs is None or row["program"] in programs]


async def list_in_state(  # noqa: PLR0913  (a page has this many parts)
    tx: ReadTx,
    cycles: Cycles,
    today: date,
    program: str,
    *,
    divisions: Sequence[str],
    state: str,
    after: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """People of a program in these divisions in one state, by subject."""
    parts = (cycles.codes, cycles.months, cycles.warnings, today, program, after, state, limit, list(divisions))
    return await tx.fetch(_IN_STATE, *parts)


async def count_states(
    tx: ReadTx, cycles: Cycles, today: date, program: str, divisions: Sequence[str]
) -> dict[str, int]:
    """How many people of a program in these divisions are in each state."""
    parts = (cycles.codes, cycles.months, cycles.warnings, today, program, None, list(divisions))
    rows = await tx.fetch(_COUNT, *parts)
    return {row["state"]: row["people"] for row in rows}


async def note_tasks(tx: WriteTx, heard: pa.Table) -> None:
    """Note the tasks grid opened for people who are still being looked for."""
    await tx.run(_HEARD_TASKS)
    await tx.copy("heard_task", heard)
    await tx.run(
        "UPDATE due d SET task_id = h.task_id, task_due_on = h.deadline_on FROM heard_task h "
        "WHERE d.subject = h.subject AND d.cleared_on IS NULL"
    )
