"""Partner events: recorded in one order, read by cursor, handed over or run after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.recognition.domain.feed import CHASED, EventKind, Outcome
from services.recognition.store.lookups import Asker
from shared.kit.db import ReadTx, WriteTx

_TOLD = """
CREATE TEMP TABLE IF NOT EXISTS told (
    subject uuid, program text, about uuid, reason text, occurred_at timestamptz, repeats uuid
) ON COMMIT DELETE ROWS
"""

# A cursor must never pass a row that commits later: whoever records holds this until its commit.
_IN_ORDER = "SELECT pg_advisory_xact_lock(hashtext('recognition feed'))"

_RECORD = """
INSERT INTO partner_event (event_id, program, kind, subject, about, reason, occurred_at, repeats)
SELECT uuidv7(), e.program, $1, t.subject, t.about, t.reason, t.occurred_at, t.repeats
FROM told t JOIN enrolment e ON e.subject = t.subject AND (e.program = t.program OR (t.program IS NULL AND e.listed))
WHERE $2::text[] IS NULL OR e.program = ANY ($2)
ORDER BY t.occurred_at, t.subject, e.program
RETURNING seq, event_id, program, subject, occurred_at, COALESCE(repeats, event_id) AS first_id
"""

_HAND_OVER = """
INSERT INTO handover (event_id, client_id, program, kind, subject, last_id, last_seq, told_at, due_at, changed_at)
SELECT e.event_id, c.client_id, e.program, e.kind, e.subject, e.event_id, e.seq, $2, $3, $2
FROM partner_event e JOIN client c ON c.role = 'partner' AND c.listed AND c.programs && ARRAY[e.program, '*']
WHERE e.event_id = ANY ($1::uuid[])
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An event no partner has taken: for an officer to pick up the telephone."""

    event_id: UUID
    client_id: str
    program: str
    kind: EventKind
    subject: UUID
    state: str
    tries: int
    told_at: datetime
    reason: str | None


async def listened_programs(tx: ReadTx) -> list[str] | None:
    """Programs somebody listens to; None for every one."""
    rows = await tx.fetch("SELECT DISTINCT unnest(programs) AS program FROM feed")
    found = [row["program"] for row in rows]
    return None if "*" in found else found


async def record(tx: WriteTx, kind: EventKind, told: pa.Table, programs: Sequence[str] | None) -> list[asyncpg.Record]:
    """Record what happened to people in their programs.

    Args:
        tx: the transaction.
        kind: of all of them.
        told: subject, program (null: every one that lists the person), about, reason, occurred_at, repeats.
        programs: only of these; None for every one.

    Returns:
        seq, event_id, program, subject, occurred_at and first_id of each.
    """
    await tx.run(_TOLD)
    await tx.fetch(_IN_ORDER)
    await tx.copy("told", told)
    rows = await tx.fetch(_RECORD, kind, None if programs is None else list(programs))
    # The same transaction may record more: what has been told must not be told again with it.
    await tx.run("TRUNCATE told")
    return rows


async def hand_over(tx: WriteTx, event_ids: Sequence[UUID], told_at: datetime, due_at: datetime) -> None:
    """Note for every partner of a program that it must hear these events."""
    await tx.run(_HAND_OVER, list(event_ids), told_at, due_at)


async def listen(tx: WriteTx, client_id: str, programs: Sequence[str]) -> int:
    """Note that a partner listens; returns the seq up to which it has acknowledged."""
    rows = await tx.fetch(
        "INSERT INTO feed (client_id, programs) VALUES ($1, $2) "
        "ON CONFLICT (client_id) DO UPDATE SET programs = excluded.programs RETURNING acknowledged",
        client_id,
        list(programs),
    )
    return int(rows[0]["acknowledged"])


_READ = """
WITH chosen AS (
    SELECT seq, event_id, program, kind, subject, about, reason, occurred_at, repeats FROM partner_event
    WHERE ($1::text[] IS NULL OR program = ANY ($1)) AND seq > $2 AND ($12::uuid IS NULL OR event_id = $12)
    ORDER BY seq LIMIT $3
), logged AS (
    INSERT INTO usage (at, client_id, user_ref, department, action, program, subject, purpose, legal_basis, case_ref,
                       answer, request_id)
    SELECT $4, $5, $6, $7, $8, program, subject, $9, NULL, $10, kind, $11 FROM chosen
)
SELECT * FROM chosen ORDER BY seq
"""


async def read(
    tx: WriteTx, asker: Asker, programs: Sequence[str] | None, *, after: int, limit: int, event_id: UUID | None = None
) -> list[asyncpg.Record]:
    """Events of these programs behind a place, with a usage row for each, in one statement."""
    return await tx.fetch(
        _READ,
        None if programs is None else list(programs),
        after,
        limit,
        asker.at,
        asker.client_id,
        asker.user,
        asker.department,
        asker.action,
        asker.purpose,
        asker.case_ref,
        asker.request_id,
        event_id,
    )


async def acknowledge(tx: WriteTx, client_id: str, upto: int, at: datetime) -> int:
    """Note that a partner has heard everything up to a place; returns how many handovers that ended."""
    await tx.run("UPDATE feed SET acknowledged = GREATEST(acknowledged, $2) WHERE client_id = $1", client_id, upto)
    tag = await tx.run(
        "UPDATE handover SET state = 'acknowledged', changed_at = $3 "
        "WHERE client_id = $1 AND last_seq <= $2 AND state IN ('open', 'delivered', 'manual')",
        client_id,
        upto,
        at,
    )
    return int(tag.rsplit(" ", 1)[1])


_RECEIPT = """
INSERT INTO handover (event_id, client_id, program, kind, subject, last_id, last_seq, state, told_at, due_at, reason,
                      changed_at)
SELECT COALESCE(e.repeats, e.event_id), $2, e.program, e.kind, e.subject, e.event_id, e.seq, $4, e.occurred_at, $6, $5,
       $6
FROM partner_event e WHERE e.event_id = $1 AND ($3::text[] IS NULL OR e.program = ANY ($3))
ON CONFLICT (event_id, client_id) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, changed_at = excluded.changed_at
RETURNING subject
"""


async def save_receipt(  # noqa: PLR0913  (a receipt has this many parts)
    tx: WriteTx,
    client_id: str,
    programs: Sequence[str] | None,
    event_id: UUID,
    *,
    outcome: Outcome,
    reason: str | None,
    at: datetime,
) -> bool:
    """Keep what a partner says of an event of its programs; False when it has no such event."""
    listed = None if programs is None else list(programs)
    return bool(await tx.fetch(_RECEIPT, event_id, client_id, listed, outcome, reason, at))


async def note_delivered(tx: WriteTx, client_id: str, event_ids: Sequence[UUID], at: datetime) -> None:
    """Note that a partner's endpoint took these events: only then it is known to have heard, not to have understood.

    What has been left to a person stays with him until the partner answers.
    """
    await tx.run(
        "UPDATE handover SET state = 'delivered', changed_at = $3 "
        "WHERE client_id = $1 AND last_id = ANY ($2::uuid[]) AND state = 'open'",
        client_id,
        list(event_ids),
        at,
    )


async def take_unanswered(tx: WriteTx, now: datetime, limit: int) -> list[asyncpg.Record]:
    """Handovers nobody has answered in time, delivered ones too, held against other processes."""
    return await tx.fetch(
        "SELECT event_id, client_id, program, kind, subject, tries FROM handover "
        "WHERE state IN ('open', 'delivered') AND due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )


async def give_up(tx: WriteTx, event_id: UUID, client_id: str, at: datetime) -> None:
    """Leave a handover to a person."""
    await tx.run(
        "UPDATE handover SET state = 'manual', changed_at = $3 WHERE event_id = $1 AND client_id = $2",
        event_id,
        client_id,
        at,
    )


async def told_again(  # noqa: PLR0913  (a repetition has this many parts)
    tx: WriteTx, event_id: UUID, client_id: str, *, last_id: UUID, last_seq: int, due_at: datetime, at: datetime
) -> None:
    """Note by which event a handover was told again."""
    await tx.run(
        "UPDATE handover SET state = 'open', last_id = $3, last_seq = $4, tries = tries + 1, due_at = $5, "
        "changed_at = $6 "
        "WHERE event_id = $1 AND client_id = $2",
        event_id,
        client_id,
        last_id,
        last_seq,
        due_at,
        at,
    )


async def count_unacknowledged(tx: ReadTx, kind: EventKind, told_before: datetime) -> int:
    """Handovers of a kind told before this instant that no partner has acknowledged or accepted, rejected ones too."""
    rows = await tx.fetch(
        "SELECT count(*) AS handovers FROM handover WHERE kind = $1 AND (state IN ('manual', 'rejected') "
        "OR state IN ('open', 'delivered') AND told_at <= $2)",
        kind,
        told_before,
    )
    return int(rows[0]["handovers"])


async def find_event(tx: ReadTx, event_id: UUID, program: str) -> asyncpg.Record | None:
    """An event as it was told first."""
    rows = await tx.fetch(
        "SELECT subject, program, about, reason, occurred_at FROM partner_event WHERE event_id = $1 AND program = $2",
        event_id,
        program,
    )
    return rows[0] if rows else None


async def list_shown(
    tx: ReadTx, programs: Sequence[str] | None, divisions: Sequence[str], after: UUID | None, limit: int
) -> list[Shown]:
    """Events on people of these divisions that were rejected or never answered, oldest first.

    An event is never torn apart: a page that ended among its partners would lose the rest.
    """
    rows = await tx.fetch(
        f"SELECT {', '.join(Shown.__dataclass_fields__)} FROM handover "  # noqa: S608  (column names)
        "WHERE state IN ('manual', 'rejected') AND ($1::text[] IS NULL OR program = ANY ($1)) "
        "AND ($2::uuid IS NULL OR event_id > $2) AND in_divisions(subject, program, $4) "
        "ORDER BY event_id FETCH FIRST $3 ROWS WITH TIES",
        None if programs is None else list(programs),
        after,
        limit,
        list(divisions),
    )
    return [Shown(**{**row, "kind": EventKind(row["kind"])}) for row in rows]


def is_chased(kind: EventKind) -> bool:
    """Whether somebody runs after an event of this kind."""
    return kind in CHASED
