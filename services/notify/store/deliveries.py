"""The queue of deliveries: claimed with a lease, recorded after the provider has answered, receipts merged in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from services.notify.domain.delivery import Receipt, Result
from services.notify.domain.languages import Language
from services.notify.domain.plan import Way
from shared.kit.db import ReadTx, WriteTx

# Between the look and the call somebody may be recorded as dead, or have had his message of the day. A legal notice to
# somebody recorded as dead goes to his family.
_CLAIM: Final = """
WITH picked AS (
    SELECT message_id, attempt, subject, lane, due_at,
           personal AND EXISTS (SELECT FROM do_not_write n WHERE n.subject = delivery.subject AND n.blocked) AS dead
    FROM delivery WHERE channel = $1 AND status = 'queued' AND due_at <= $2::timestamptz AND lane <= $3
    ORDER BY lane, due_at LIMIT $4 FOR UPDATE SKIP LOCKED
), judged AS (
    SELECT p.*, p.dead AND p.lane > 0 AS refused,
           $5::bool AND p.lane > 0 AND p.subject IS NOT NULL AND (
               row_number() OVER (PARTITION BY p.subject, p.lane > 0 ORDER BY p.lane, p.due_at, p.message_id) > 1
               OR EXISTS (SELECT FROM delivery o
                          WHERE o.subject = p.subject AND o.channel = $1 AND o.lane > 0 AND o.message_id <> p.message_id
                            AND (o.status = 'sending' OR o.handed_at >= $6))) AS held
    FROM picked p
), changed AS (
    UPDATE delivery d
    SET status = CASE WHEN j.refused THEN 'refused' WHEN j.held THEN 'queued' ELSE 'sending' END,
        reason = CASE WHEN j.refused THEN 'recorded_dead' WHEN j.held THEN 'one_a_day' END,
        due_at = CASE WHEN j.held AND NOT j.refused THEN $7::timestamptz ELSE d.due_at END,
        ended_at = CASE WHEN j.refused THEN $2::timestamptz END,
        leased_until = CASE WHEN j.refused OR j.held THEN NULL ELSE $8::timestamptz END,
        personal = d.personal AND NOT j.dead
    FROM judged j
    WHERE d.message_id = j.message_id AND d.channel = $1 AND d.attempt = j.attempt
    RETURNING d.message_id, d.attempt, d.subject, d.template, d.lane, d.status, d.personal
)
SELECT ch.message_id, ch.attempt, ch.subject, ch.template, ch.lane, ch.status, m.version, m.recipient,
       m.variables::text AS variables, c.sealed, coalesce(m.division, c.division) AS division,
       m.audience IN ('citizen', 'family') AND NOT ch.personal AS to_family, o.language
FROM changed ch JOIN message m ON m.id = ch.message_id LEFT JOIN contact c ON c.subject = ch.subject
LEFT JOIN preference o ON o.subject = ch.subject AND m.audience = 'citizen'
"""
# Answer and receipt of one message may come at the same moment: the later one must see what the earlier one wrote, and
# both must take the rows in one order.
_LOCK: Final = """
SELECT count(*) FROM (SELECT FROM delivery WHERE channel = $1 AND message_id = ANY($2::uuid[])
                      ORDER BY message_id, attempt FOR UPDATE) locked
"""
_RECORD: Final = """
WITH said AS (
    SELECT * FROM unnest($2::uuid[], $3::int2[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int2[],
                         $9::timestamptz[])
    AS s (message_id, attempt, outcome, provider, reference, reason, parts, again_at)
), done AS (
    UPDATE delivery d
    SET status = CASE s.outcome WHEN 'handed' THEN 'handed' WHEN 'delivered' THEN 'delivered' ELSE 'failed' END,
        leased_until = NULL, provider = s.provider, reference = s.reference, reason = nullif(s.reason, ''),
        parts = s.parts,
        handed_at = CASE WHEN s.outcome IN ('handed', 'delivered') THEN $10::timestamptz END,
        ended_at = CASE WHEN s.outcome <> 'handed' THEN $10::timestamptz END
    FROM said s
    WHERE d.message_id = s.message_id AND d.channel = $1 AND d.attempt = s.attempt AND d.status = 'sending'
    RETURNING d.message_id, d.attempt, d.subject, d.template, d.lane, d.revision, d.personal, s.outcome, s.again_at
), retried AS (
    INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at,
                          reason, ended_at)
    SELECT d.message_id, $1, d.attempt + 1, d.subject, d.template, d.lane, d.revision, d.personal,
           CASE WHEN n.subject IS NULL THEN 'queued' ELSE 'refused' END, d.again_at,
           CASE WHEN n.subject IS NOT NULL THEN 'recorded_dead' END,
           CASE WHEN n.subject IS NOT NULL THEN $10::timestamptz END
    FROM done d LEFT JOIN do_not_write n ON n.subject = d.subject AND n.blocked AND d.personal AND d.lane > 0
    WHERE d.outcome = 'again' AND d.again_at IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT d.message_id, d.subject, d.template, m.about, $1 AS channel, s.reason,
       d.outcome = 'delivered' AS delivered, d.outcome <> 'impossible' AS tried
FROM done d JOIN message m ON m.id = d.message_id JOIN said s ON s.message_id = d.message_id
WHERE d.outcome IN ('delivered', 'rejected', 'impossible') OR (d.outcome = 'again' AND d.again_at IS NULL)
"""
_RETURN: Final = (
    "UPDATE delivery SET status = 'queued', leased_until = NULL WHERE status = 'sending' AND leased_until < $1"
)
# Delivered outweighs failed outweighs handed: receipts may come twice, late, and in any order.
# IS NOT DISTINCT FROM keeps the index of the queue out of the plan: on a morning that fills the queue faster than its
# statistics follow, the planner takes it for empty and reads all of it for each handful of receipts.
_RECEIPTS: Final = """
WITH said AS (
    SELECT DISTINCT ON (message_id) * FROM unnest($2::uuid[], $3::bool[], $4::text[])
    AS s (message_id, reached, reason) ORDER BY message_id, reached DESC, reason
), newest AS (
    SELECT s.*, d.attempt, d.status FROM said s CROSS JOIN LATERAL (
        SELECT attempt, status FROM delivery o WHERE o.message_id = s.message_id AND o.channel = $1
        ORDER BY o.status = 'delivered' DESC, o.status IN ('handed', 'sending', 'failed') DESC, o.attempt DESC
        LIMIT 1) d
    WHERE d.status IN ('handed', 'sending') OR (d.status = 'failed' AND s.reached)
    ORDER BY s.message_id
), done AS (
    UPDATE delivery d
    SET status = CASE WHEN n.reached THEN 'delivered' ELSE 'failed' END, leased_until = NULL,
        ended_at = $5::timestamptz, handed_at = coalesce(d.handed_at, $5::timestamptz),
        reason = CASE WHEN n.reached THEN NULL ELSE nullif(n.reason, '') END
    FROM newest n WHERE d.message_id = n.message_id AND d.channel = $1 AND d.attempt = n.attempt AND d.status = n.status
    RETURNING d.message_id, d.subject, d.template, n.reached, coalesce(d.reason, '') AS reason
), stopped AS (
    UPDATE delivery q SET status = 'merged', reason = 'reached_before', ended_at = $5::timestamptz
    FROM done WHERE done.reached AND q.message_id = done.message_id AND q.channel = $1
        AND q.status IS NOT DISTINCT FROM 'queued'
)
SELECT d.message_id, d.subject, d.template, m.about, $1 AS channel, d.reason, d.reached AS delivered, true AS tried
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
WHERE n.subject IS NULL OR m.lane = 0
ON CONFLICT DO NOTHING
"""
# Only what no provider ever took: one that did would take the same id for the message it has.
_REDRIVE: Final = """
INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at)
SELECT d.message_id, d.channel, d.attempt + 1, d.subject, d.template, d.lane, d.revision, d.personal, 'queued',
       CASE WHEN d.lane > 0 THEN $4::timestamptz ELSE $3::timestamptz END
FROM delivery d LEFT JOIN do_not_write n ON n.subject = d.subject AND n.blocked AND d.personal AND d.lane > 0
WHERE d.channel = $1 AND d.status = 'failed' AND d.handed_at IS NULL AND d.ended_at >= $2
  AND ($5::text IS NULL OR d.reason = $5) AND n.subject IS NULL
  AND NOT EXISTS (SELECT FROM delivery o WHERE o.message_id = d.message_id
                  AND ((o.channel = d.channel AND o.attempt > d.attempt)
                       OR o.status IN ('waiting', 'queued', 'sending', 'handed', 'delivered')))
  AND NOT (d.template = ANY($6::text[])
           AND EXISTS (SELECT FROM message m JOIN message y ON y.subject = m.subject AND y.template = m.template
                       WHERE m.id = d.message_id AND (y.revision, y.id) > (m.revision, m.id)))
ORDER BY d.lane, d.ended_at LIMIT $7
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
# A provider that never says what became of a message: after a while its silence is taken as an answer.
_SILENT: Final = """
WITH ended AS (
    UPDATE delivery d
    SET status = CASE WHEN $4::bool THEN 'delivered' ELSE 'failed' END, ended_at = $3::timestamptz,
        reason = CASE WHEN $4::bool THEN NULL ELSE 'no_receipt' END
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM delivery
                            WHERE status = 'handed' AND channel = $1 AND handed_at < $2::timestamptz
                            LIMIT 1000 FOR UPDATE SKIP LOCKED))
    RETURNING d.message_id, d.subject, d.template
)
SELECT e.*, m.about, $1 AS channel, 'no_receipt' AS reason, $4::bool AS delivered, true AS tried
FROM ended e JOIN message m ON m.id = e.message_id
"""
_WORKING: Final = """
SELECT (SELECT count(*) FROM delivery WHERE status = 'sending')
     + (SELECT count(*) FROM delivery WHERE status = 'queued' AND channel = ANY($1::text[]) AND due_at <= $2
        AND (lane = 0 OR NOT channel = ANY($3::text[]))) AS n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this process alone may hand over until the lease ends.

    Attributes:
        division: village of the person, or where the message belongs to.
        sealed: the contact, still sealed; None where there is none.
        to_family: to the family, never to the person, who is recorded as dead.
        language: the person asked for.
    """

    message_id: UUID
    attempt: int
    subject: UUID | None
    recipient: str | None
    template: str
    version: int
    variables: dict[str, object]
    sealed: bytes | None
    division: str | None
    to_family: bool
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A delivery that needs something more: it reached, or it failed for good.

    Attributes:
        about: what the message tells of, where that is one thing.
        reason: why it failed.
        tried: somebody was asked to take it to the person; False where there was nobody to send it to.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The times a claim needs.

    Attributes:
        now: business time.
        day: when the business day began.
        tomorrow: opening of the next day.
        lease: until when the claim holds, wall time.
    """

    now: datetime
    day: datetime
    tomorrow: datetime
    lease: datetime


async def claim(
    tx: WriteTx, channel: str, times: Times, *, max_lane: int, limit: int, disturbs: bool
) -> tuple[list[Claimed], int]:
    """Take queued deliveries, legal ones first. Returns what may be handed over and how many rows were looked at."""
    rows = await tx.fetch(_CLAIM, channel, times.now, max_lane, limit, disturbs, times.day, times.tomorrow, times.lease)
    return [_claimed(row) for row in rows if row["status"] == "sending"], len(rows)


def _claimed(row: asyncpg.Record) -> Claimed:
    return Claimed(
        message_id=row["message_id"],
        attempt=row["attempt"],
        subject=row["subject"],
        recipient=row["recipient"],
        template=row["template"],
        version=row["version"],
        variables=orjson.loads(row["variables"]),
        sealed=row["sealed"],
        division=row["division"],
        to_family=row["to_family"],
        language=Language(row["language"] or Language.CHINESE),
    )


async def record(
    tx: WriteTx, channel: str, results: Sequence[tuple[Result, int, datetime | None]], now: datetime
) -> list[Ended]:
    """Record what a provider answered: result, number of the attempt, and when to try again (None: never).

    Returns:
        Deliveries that reached and those that failed for good.
    """
    await tx.fetch(_LOCK, channel, [result.id for result, _, _ in results])
    rows = await tx.fetch(
        _RECORD,
        channel,
        [result.id for result, _, _ in results],
        [attempt for _, attempt, _ in results],
        [result.outcome.value for result, _, _ in results],
        [result.provider for result, _, _ in results],
        [result.reference for result, _, _ in results],
        [result.reason for result, _, _ in results],
        [result.parts for result, _, _ in results],
        [again for _, _, again in results],
        now,
    )
    return [_ended(row, now) for row in rows]


async def record_receipts(tx: WriteTx, channel: str, receipts: Sequence[Receipt], now: datetime) -> list[Ended]:
    """Merge receipts in; returns what changed by them, so that hearing one twice says nothing twice."""
    await tx.fetch(_LOCK, channel, [receipt.id for receipt in receipts])
    rows = await tx.fetch(
        _RECEIPTS,
        channel,
        [receipt.id for receipt in receipts],
        [receipt.delivered for receipt in receipts],
        [receipt.reason for receipt in receipts],
        now,
    )
    return [_ended(row, now) for row in rows]


def _ended(row: asyncpg.Record, at: datetime) -> Ended:
    return Ended(**dict(row), at=at)


async def return_expired(tx: WriteTx, wall_now: datetime) -> int:
    """Queue again what a sender took and never answered for. Returns the number."""
    return int((await tx.run(_RETURN, wall_now)).rsplit(" ", 1)[-1])


async def give_up_waiting(tx: WriteTx, before: datetime, now: datetime) -> list[Ended]:
    """End deliveries that have waited for a phone since before `before`, at most a thousand."""
    return [_ended(row, now) for row in await tx.fetch(_WAITED_TOO_LONG, before, now)]


async def end_silent(tx: WriteTx, channel: str, before: datetime, now: datetime, *, delivered: bool) -> list[Ended]:
    """End what was handed over before `before` and never answered for, at most a thousand."""
    return [_ended(row, now) for row in await tx.fetch(_SILENT, channel, before, now, delivered)]


async def redrive(  # noqa: PLR0913  (which ones, and when)
    tx: WriteTx,
    channel: str,
    *,
    since: datetime,
    reason: str | None,
    latest_only: Sequence[str],
    now: datetime,
    opens: datetime,
    limit: int,
) -> int:
    """Queue once more what failed on a channel since then, no provider took, and reached by no other. Returns how many.

    Args:
        tx: the transaction.
        channel: its code.
        since: of the failure.
        reason: of the failure; None: any.
        latest_only: templates of which the newest message says all that the others say.
        now: when legal ones are due.
        opens: when the others are.
        limit: how many at most, legal and older ones first.
    """
    tag = await tx.run(_REDRIVE, channel, since, now, opens, reason, list(latest_only), limit)
    return int(tag.rsplit(" ", 1)[-1])


async def list_tried(tx: ReadTx, ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Channels each message has been tried on."""
    tried: dict[UUID, set[str]] = {}
    for row in await tx.fetch(_TRIED, list(ids)):
        tried.setdefault(row["message_id"], set()).add(row["channel"])
    return tried


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


async def count_working(tx: ReadTx, channels: Sequence[str], closed: Sequence[str], now: datetime) -> int:
    """Deliveries that senders still have to do now; `closed` are channels that wait for the morning."""
    rows = await tx.fetch(_WORKING, list(channels), now, list(closed))
    return int(rows[0]["n"])
