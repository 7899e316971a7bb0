"""Second listings of people: heard from rosters, closed by officers."""

from datetime import datetime
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.recognition.domain.places import PlaceOutcome
from shared.kit.db import ReadTx, WriteTx

_HEARD = """
CREATE TEMP TABLE IF NOT EXISTS heard_place (
    subject uuid, division text, amount_fen bigint, started_on date, listed boolean
) ON COMMIT DELETE ROWS
"""

# What is listed again after it was not waits anew, whatever it came to before.
_MERGE = """
INSERT INTO second_place AS p (place_id, subject, program, division, amount_fen, started_on, listed, received_at,
                               opened_at)
SELECT uuidv7(), subject, $1, division, amount_fen, started_on, listed, $2, $3 FROM heard_place
ORDER BY subject, division
ON CONFLICT (subject, program, division) DO UPDATE SET
    amount_fen = excluded.amount_fen, started_on = excluded.started_on, listed = excluded.listed,
    received_at = excluded.received_at,
    opened_at = CASE WHEN excluded.listed AND NOT p.listed THEN excluded.opened_at ELSE p.opened_at END
WHERE p.received_at < excluded.received_at
"""

_FIND = """
SELECT p.*, p.listed AND (p.closed_at IS NULL OR p.closed_at < p.opened_at) AS waits, e.division AS kept_division,
       e.amount_fen AS kept_amount_fen, e.started_on AS kept_started_on
FROM second_place p LEFT JOIN enrolment e ON e.subject = p.subject AND e.program = p.program
WHERE p.place_id = $1
"""


async def merge(tx: WriteTx, heard: pa.Table, program: str, *, received_at: datetime, at: datetime) -> None:
    """Take in second listings of a program; what is older than known changes nothing."""
    await tx.run(_HEARD)
    await tx.copy("heard_place", heard)
    await tx.run(_MERGE, program, received_at, at)


async def find(tx: ReadTx, place_id: UUID) -> asyncpg.Record | None:
    """A second listing, with the enrolment beside it as `kept_…`, and whether it waits."""
    rows = await tx.fetch(_FIND, place_id)
    return rows[0] if rows else None


async def lock(tx: WriteTx, place_id: UUID) -> None:
    """Let one officer at a time close it."""
    await tx.fetch("SELECT FROM second_place WHERE place_id = $1 FOR UPDATE", place_id)


async def close(
    tx: WriteTx, place_id: UUID, outcome: PlaceOutcome, refunded_fen: int | None, *, by: str, at: datetime
) -> None:
    """Note what it came to."""
    await tx.run(
        "UPDATE second_place SET outcome = $2, refunded_fen = $3, closed_by = $4, closed_at = $5 WHERE place_id = $1",
        place_id,
        str(outcome),
        refunded_fen,
        by,
        at,
    )
