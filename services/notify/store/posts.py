"""What is posted to partners' endpoints: one row an event and endpoint, oldest first, claimed with a lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.notify.domain.endpoints import Thin
from shared.kit import trace
from shared.kit.db import ReadTx, WriteTx

_ARRIVED: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS arrived_event (subject uuid NOT NULL, event_id uuid NOT NULL, kind text NOT NULL,"
    " version bigint NOT NULL, occurred_at timestamptz NOT NULL) ON COMMIT DELETE ROWS"
)
# Whoever asked before the event, and is proved or rests, gets it; who is not yet proved gets it with his proof.
_KEEP: Final = """
WITH heard AS (
    INSERT INTO partner_event (event_id, client_id, program, subject, kind, version, occurred_at, heard_at,
                               traceparent)
    SELECT DISTINCT ON (event_id) event_id, $1, $2, subject, kind, version, occurred_at, $3::timestamptz, $4
    FROM arrived_event ORDER BY event_id, occurred_at
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id, seq, kind
), queued AS (
    INSERT INTO post (subscription_id, event_id, seq, status, attempts, due_at, told)
    SELECT e.subscription_id, h.event_id, h.seq, 'queued', 0, $3::timestamptz, false
    FROM heard h CROSS JOIN endpoint e
    WHERE e.client_id = $1 AND e.status IN ('active', 'paused', 'disabled')
      AND (e.kinds = '{}' OR h.kind = ANY(e.kinds)) AND (e.programs = '{}' OR e.programs && ARRAY['*', $2::text])
    RETURNING 1
)
SELECT count(*) AS n FROM queued
"""
_QUEUE: Final = """
INSERT INTO post AS kept (subscription_id, event_id, seq, status, attempts, due_at, told)
SELECT e.subscription_id, v.event_id, v.seq, 'queued', 0, $2::timestamptz, false
FROM endpoint e JOIN partner_event v ON v.client_id = e.client_id
WHERE e.subscription_id = $1 AND (e.kinds = '{}' OR v.kind = ANY(e.kinds))
  AND (e.programs = '{}' OR e.programs && ARRAY['*', v.program])
"""
_CATCH_UP: Final = _QUEUE + " AND v.heard_at >= e.asked_at ON CONFLICT DO NOTHING"
_REPLAY: Final = (
    _QUEUE
    + """ AND (($3::uuid[] IS NOT NULL AND v.event_id = ANY($3))
       OR ($4::timestamptz IS NOT NULL AND v.occurred_at >= $4 AND v.occurred_at < $5))
ORDER BY v.seq LIMIT $6
ON CONFLICT (subscription_id, event_id) DO UPDATE
SET status = 'queued', attempts = 0, due_at = excluded.due_at, ended_at = NULL, reason = NULL, told = false
WHERE kept.status IN ('delivered', 'failed')"""
)
_READY: Final = """
SELECT subscription_id FROM endpoint e
WHERE status = 'active' AND (due_at IS NULL OR due_at <= $1) AND subscription_id <> ALL($2::uuid[])
  AND EXISTS (SELECT FROM post p WHERE p.subscription_id = e.subscription_id AND p.status = 'queued' AND p.due_at <= $1)
"""
# A failing endpoint is asked with the event tried least: one that the receiver cannot take must not hold the others up.
# For a well one the index has the order: what a day of failing has left is not sorted anew for each lot.
_CLAIM: Final = """
WITH at AS (
    SELECT subscription_id, failures FROM endpoint
    WHERE subscription_id = $1 AND status = 'active' AND (due_at IS NULL OR due_at <= $3::timestamptz)
), picked AS (
    SELECT p.subscription_id, p.event_id FROM at CROSS JOIN LATERAL (
        SELECT subscription_id, event_id FROM post q
        WHERE q.subscription_id = at.subscription_id AND q.status = 'queued' AND q.due_at <= $3::timestamptz
        ORDER BY q.seq LIMIT $2 FOR UPDATE SKIP LOCKED) p
    WHERE at.failures = 0
    UNION ALL
    SELECT p.subscription_id, p.event_id FROM at CROSS JOIN LATERAL (
        SELECT subscription_id, event_id FROM post q
        WHERE q.subscription_id = at.subscription_id AND q.status = 'queued' AND q.due_at <= $3::timestamptz
        ORDER BY q.attempts, q.seq LIMIT 1 FOR UPDATE SKIP LOCKED) p
    WHERE at.failures > 0
), taken AS (
    UPDATE post p SET status = 'sending', leased_until = $4::timestamptz, attempts = p.attempts + 1
    FROM picked k WHERE p.subscription_id = k.subscription_id AND p.event_id = k.event_id
    RETURNING p.event_id, p.seq, p.attempts
)
SELECT t.event_id, t.attempts, v.kind, v.program, v.version, v.occurred_at, v.traceparent
FROM taken t JOIN partner_event v USING (event_id) ORDER BY t.seq
"""
_RECORD: Final = """
UPDATE post p
SET status = s.status, http_status = s.http_status, reason = nullif(s.reason, ''), leased_until = NULL,
    due_at = coalesce(s.due_at, p.due_at),
    ended_at = CASE WHEN s.status IN ('delivered', 'failed') THEN $7::timestamptz END
FROM unnest($2::uuid[], $3::text[], $4::int2[], $5::text[], $6::timestamptz[])
    AS s (event_id, status, http_status, reason, due_at)
WHERE p.subscription_id = $1 AND p.event_id = s.event_id AND p.status = 'sending'
"""
_UNTOLD: Final = """
WITH taken AS (
    SELECT subscription_id, event_id FROM post WHERE ended_at IS NOT NULL AND NOT told
    ORDER BY subscription_id LIMIT $1 FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE post p SET told = true FROM taken t
    WHERE p.subscription_id = t.subscription_id AND p.event_id = t.event_id
    RETURNING p.subscription_id, p.event_id, p.status, p.attempts, p.ended_at
)
SELECT m.subscription_id, v.client_id, v.subject, m.event_id, m.status, m.attempts, m.ended_at
FROM marked m JOIN partner_event v USING (event_id) ORDER BY m.subscription_id
"""
_LOG: Final = """
SELECT p.seq, p.event_id, v.kind, v.program, v.version, v.occurred_at, p.status, p.attempts, p.http_status, p.reason,
       p.due_at, p.ended_at
FROM post p JOIN partner_event v USING (event_id)
WHERE p.subscription_id = $1 AND p.seq < $2 AND ($3::text IS NULL OR p.status = $3)
ORDER BY p.seq DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRow:
    """One event on its way to one endpoint, as its owner sees it."""

    seq: int
    event_id: UUID
    kind: str
    program: str
    version: int
    occurred_at: datetime
    status: str
    attempts: int
    http_status: int | None
    reason: str | None
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What became of one try.

    Attributes:
        status: delivered, failed (for good) or queued (again).
        due_at: of the next try.
    """

    event_id: UUID
    status: str
    http_status: int | None
    reason: str
    due_at: datetime | None


async def keep_events(tx: WriteTx, table: pa.Table, *, client_id: str, program: str, now: datetime) -> int:
    """Keep events (columns of PARTNER_EVENTS_RECORDED) and queue them. Returns the number of posts."""
    names = ["subject", "event_id", "kind", "version", "occurred_at"]
    plain = pa.schema([(name, pa.string() if name == "kind" else table.schema.field(name).type) for name in names])
    await tx.run(_ARRIVED)
    await tx.run("DELETE FROM arrived_event")
    await tx.copy("arrived_event", table.select(names).cast(plain))
    rows = await tx.fetch(_KEEP, client_id, program, now, trace.current())
    return int(rows[0]["n"])


async def catch_up(tx: WriteTx, subscription_id: UUID, now: datetime) -> None:
    """Queue what was heard since the owner asked."""
    await tx.run(_CATCH_UP, subscription_id, now)


async def replay(  # noqa: PLR0913  (what to replay)
    tx: WriteTx,
    subscription_id: UUID,
    now: datetime,
    *,
    event_ids: Sequence[UUID] | None,
    since: datetime | None,
    until: datetime,
    limit: int,
) -> int:
    """Queue events again, by id or by time. Returns the number."""
    ids = list(event_ids) if event_ids is not None else None
    return _count(await tx.run(_REPLAY, subscription_id, now, ids, since, until, limit))


async def list_ready(tx: ReadTx, now: datetime, busy: Sequence[UUID]) -> list[UUID]:
    """Endpoints with something to post now, but for the busy ones."""
    return [row["subscription_id"] for row in await tx.fetch(_READY, now, list(busy))]


async def claim(
    tx: WriteTx, subscription_id: UUID, places: int, now: datetime, lease: datetime
) -> list[tuple[Thin, int]]:
    """Take what is to be posted next, oldest first, with the number of the try; one event where the endpoint fails."""
    return [_taken(row) for row in await tx.fetch(_CLAIM, subscription_id, places, now, lease)]


def _taken(row: asyncpg.Record) -> tuple[Thin, int]:
    found = dict(row)
    tries = int(found.pop("attempts"))
    return Thin(**found), tries


async def record(tx: WriteTx, subscription_id: UUID, endings: Sequence[Ending], now: datetime) -> None:
    """Record what became of tries."""
    await tx.run(
        _RECORD,
        subscription_id,
        [each.event_id for each in endings],
        [each.status for each in endings],
        [each.http_status for each in endings],
        [each.reason for each in endings],
        [each.due_at for each in endings],
        now,
    )


async def take_untold(tx: WriteTx, limit: int) -> list[asyncpg.Record]:
    """Ended posts whose receipt is still to be said, marked as said."""
    return await tx.fetch(_UNTOLD, limit)


async def list_of(tx: ReadTx, subscription_id: UUID, *, before: int, status: str | None, limit: int) -> list[PostRow]:
    """The log of an endpoint, newest first."""
    return [PostRow(**dict(row)) for row in await tx.fetch(_LOG, subscription_id, before, status, limit)]


async def return_expired(tx: WriteTx, wall_now: datetime) -> int:
    """Queue again what a process took and never answered for. Returns the number."""
    return _count(
        await tx.run(
            "UPDATE post SET status = 'queued', leased_until = NULL WHERE status = 'sending' AND leased_until < $1",
            wall_now,
        )
    )


async def forget(tx: WriteTx, before: datetime) -> int:
    """Drop events older than `before`, at most ten thousand, with what was posted of them. Returns their number."""
    rows = await tx.fetch(
        "DELETE FROM partner_event WHERE event_id = ANY (ARRAY("
        " SELECT event_id FROM partner_event WHERE heard_at < $1 LIMIT 10000)) RETURNING event_id",
        before,
    )
    await tx.run("DELETE FROM post WHERE event_id = ANY($1::uuid[])", [row["event_id"] for row in rows])
    return len(rows)


async def count_working(tx: ReadTx, now: datetime) -> int:
    """Posts and challenges that are to be made now."""
    rows = await tx.fetch(
        "SELECT (SELECT count(*) FROM post p JOIN endpoint e USING (subscription_id) WHERE p.status = 'sending'"
        "        OR (p.status = 'queued' AND p.due_at <= $1 AND e.status = 'active'"
        "            AND (e.due_at IS NULL OR e.due_at <= $1)))"
        " + (SELECT count(*) FROM endpoint WHERE status = 'pending' AND due_at <= $1) AS n",
        now,
    )
    return int(rows[0]["n"])


def _count(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[-1])
