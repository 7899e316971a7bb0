"""How deliveries end beyond the provider's answer: receipts, silence, no phone, and the channels tried after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.notify.domain.delivery import Receipt
from services.notify.domain.plan import Way
from shared.kit.db import ReadTx, WriteTx

# Answer and receipt of one message may come at the same moment: the later one must see what the earlier one wrote, and
# both must take the rows in one order.
_LOCK: Final = """
SELECT count(*) FROM (SELECT FROM delivery WHERE channel = $1 AND message_id = ANY($2::uuid[])
                      ORDER BY message_id, attempt FOR UPDATE) locked
"""
# Delivered outweighs failed outweighs handed: receipts may come twice, late, and in any order. A provider whose answer
# was lost had the message if it now says that it failed: the try that waits to ask it again ends by that. What was
# given up, or no longer needed, may have been brought by somebody who had it.
# IS NOT DISTINCT FROM keeps the index of the queue out of the plan: on a morning that fills the queue faster than its
# statistics follow, the planner takes it for empty and reads all of it for each handful of receipts.
_RECEIPTS: Final = """
WITH said AS (
    SELECT DISTINCT ON (message_id) * FROM unnest($2::uuid[], $3::bool[], $4::text[], $6::timestamptz[])
    AS s (message_id, reached, reason, at) ORDER BY message_id, reached DESC, reason
), newest AS (
    SELECT s.*, d.attempt, d.status FROM said s CROSS JOIN LATERAL (
        SELECT attempt, status, provider IS NOT NULL AS asked, handed_at FROM delivery o
        WHERE o.message_id = s.message_id AND o.channel = $1
        ORDER BY o.status = 'delivered' DESC, (o.status = 'queued' AND o.provider IS NOT NULL AND NOT s.reached) DESC,
                 o.status IN ('handed', 'sending', 'failed') DESC, o.attempt DESC
        LIMIT 1) d
    WHERE d.status IN ('handed', 'sending') OR (d.status = 'failed' AND s.reached) OR (d.status = 'queued' AND d.asked)
       OR (d.status = 'merged' AND s.reached AND (d.asked OR d.handed_at IS NOT NULL))
    ORDER BY s.message_id
), done AS (
    UPDATE delivery d
    SET status = CASE WHEN n.reached THEN 'delivered' ELSE 'failed' END, leased_until = NULL,
        ended_at = greatest(coalesce(n.at, $5::timestamptz), d.handed_at),
        handed_at = coalesce(d.handed_at, $5::timestamptz),
        reason = CASE WHEN n.reached THEN NULL ELSE nullif(n.reason, '') END
    FROM newest n WHERE d.message_id = n.message_id AND d.channel = $1 AND d.attempt = n.attempt AND d.status = n.status
    RETURNING d.message_id, d.attempt, d.subject, d.template, n.reached, coalesce(d.reason, '') AS reason, d.ended_at
), stopped AS (
    UPDATE delivery q SET status = 'merged', reason = 'reached_before', ended_at = $5::timestamptz
    FROM done WHERE done.reached AND q.message_id = done.message_id AND q.channel = $1
        AND q.attempt <> done.attempt AND q.status IS NOT DISTINCT FROM 'queued'
)
SELECT d.message_id, d.subject, d.template, m.about, $1 AS channel, d.reason, d.reached AS delivered, true AS tried,
       d.ended_at AS at
FROM done d JOIN message m ON m.id = d.message_id
"""
_FALL_BACK: Final = """
INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at, reason)
SELECT m.id, w.channel, 1, m.subject, m.template, m.lane, m.revision, m.audience = 'citizen',
       CASE WHEN w.reach = 'phone' AND coalesce(c.reachable, 'none') = 'none' THEN 'waiting' ELSE 'queued' END,
       CASE WHEN w.disturbs AND m.lane > 0 THEN $6::timestamptz ELSE $5::timestamptz END,
       CASE WHEN w.reach = 'phone' AND coalesce(c.reachable, 'none') = 'none' THEN 'no_phone' END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bool[]) AS w (message_id, channel, reach, disturbs)
JOIN message m ON m.id = w.message_id
LEFT JOIN contact c ON c.subject = m.subject
LEFT JOIN do_not_write n ON n.subject = m.subject AND n.blocked AND m.audience = 'citizen'
WHERE (n.subject IS NULL OR m.lane = 0) AND NOT m.given_up
ON CONFLICT DO NOTHING
"""
_TRIED: Final = "SELECT message_id, channel FROM delivery WHERE message_id = ANY($1::uuid[])"
_WAITED_TOO_LONG: Final = """
UPDATE delivery d SET status = 'failed', ended_at = $2
WHERE ctid = ANY (ARRAY(SELECT ctid FROM delivery WHERE status = 'waiting' AND due_at < $1 LIMIT 1000
                        FOR UPDATE SKIP LOCKED))
RETURNING message_id, subject, template, NULL::uuid AS about, channel, 'no_phone' AS reason, false AS delivered,
          false AS tried
"""
# Whom a late receipt reached is not told again by the channel that was to be tried instead.
_STOP: Final = """
UPDATE delivery d SET status = 'merged', reason = 'reached_before', ended_at = $3
FROM unnest($1::uuid[], $2::text[]) AS r (message_id, channel)
WHERE d.message_id = r.message_id AND d.channel = r.channel AND d.status IN ('queued', 'waiting')
"""
# A provider that never says what became of a message: after a while its silence is taken as an answer. Where only who
# confirms has acted, it is no attempt, and a legal notice stays to be brought.
_SILENT: Final = """
WITH ended AS (
    UPDATE delivery d
    SET status = CASE WHEN $4::bool THEN 'delivered' ELSE 'failed' END, ended_at = $3::timestamptz,
        reason = CASE WHEN $4::bool THEN NULL ELSE 'no_receipt' END
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM delivery
                            WHERE status = 'handed' AND channel = $1 AND handed_at < $2::timestamptz
                              AND ($5::bool OR lane > 0)
                            LIMIT 1000 FOR UPDATE SKIP LOCKED))
    RETURNING d.message_id, d.subject, d.template
)
SELECT e.*, m.about, $1 AS channel, 'no_receipt' AS reason, $4::bool AS delivered, $5::bool AS tried
FROM ended e JOIN message m ON m.id = e.message_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A delivery that needs something more: it reached, or it failed for good.

    Attributes:
        about: what the message tells of, where that is one thing.
        reason: why it failed.
        tried: somebody has tried to bring it to the person; False where there was nobody to send to, or nobody took it.
    """

    message_id: UUID
    subject: UUID | None
    about: UUID | None
    template: str
    channel: str
    delivered: bool
    reason: str
    tried: bool
    at: datetime


def ended(row: asyncpg.Record, at: datetime) -> Ended:
    """What a statement tells of a delivery."""
    return Ended(**dict(row), at=at)


async def lock(tx: WriteTx, channel: str, ids: Sequence[UUID]) -> None:
    """Hold the deliveries of messages on a channel until this transaction ends."""
    await tx.fetch(_LOCK, channel, list(ids))


async def record_receipts(tx: WriteTx, channel: str, receipts: Sequence[Receipt], now: datetime) -> list[Ended]:
    """Merge receipts in; returns what changed by them, so that hearing one twice says nothing twice."""
    await lock(tx, channel, [receipt.id for receipt in receipts])
    rows = await tx.fetch(
        _RECEIPTS,
        channel,
        [receipt.id for receipt in receipts],
        [receipt.delivered for receipt in receipts],
        [receipt.reason for receipt in receipts],
        now,
        [receipt.at for receipt in receipts],
    )
    return [Ended(**dict(row)) for row in rows]


async def give_up_waiting(tx: WriteTx, before: datetime, now: datetime) -> list[Ended]:
    """End deliveries that have waited for a phone since before `before`, at most a thousand."""
    return [ended(row, now) for row in await tx.fetch(_WAITED_TOO_LONG, before, now)]


async def end_silent(
    tx: WriteTx, channel: str, before: datetime, now: datetime, *, delivered: bool, tried: bool
) -> list[Ended]:
    """End what was handed over before `before` and never answered for, at most a thousand."""
    return [ended(row, now) for row in await tx.fetch(_SILENT, channel, before, now, delivered, tried)]


async def list_tried(tx: ReadTx, ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Channels each message has been tried on."""
    tried: dict[UUID, set[str]] = {}
    for row in await tx.fetch(_TRIED, list(ids)):
        tried.setdefault(row["message_id"], set()).add(row["channel"])
    return tried


async def stop(tx: WriteTx, ways: Sequence[tuple[UUID, str]], now: datetime) -> None:
    """Stop what waits of messages on channels that are no longer needed."""
    await tx.run(_STOP, [message_id for message_id, _ in ways], [channel for _, channel in ways], now)


async def fall_back(tx: WriteTx, ways: Sequence[tuple[UUID, Way]], now: datetime, opens: datetime) -> None:
    """Queue messages on another channel."""
    await tx.run(
        _FALL_BACK,
        [message_id for message_id, _ in ways],
        [way.code for _, way in ways],
        [way.reach.value for _, way in ways],
        [way.disturbs for _, way in ways],
        now,
        opens,
    )
