"""The queue of deliveries: claimed with a lease, recorded after the provider has answered, receipts merged in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from services.notify.domain.delivery import Result
from services.notify.domain.drafts import CERTIFIED, REMINDERS
from services.notify.domain.languages import Language
from services.notify.domain.template import LEGAL_LANE
from services.notify.store import endings
from services.notify.store.endings import Ended
from shared.kit.db import ReadTx, WriteTx

# Between the look and the call somebody may be recorded as dead, have asked for no information, be certified, or have
# had his message of the day, and what it tells of may be given up. A legal notice to somebody recorded as dead goes to
# his family.
# On a city's first morning the statistics still tell of an empty table, and every plan looks alike: so the rows picked
# are judged once and updated by their place, and a person's other messages found by the person (`|| ''` leaves no way).
# What is known of a person or a message is asked for as a value: an EXISTS the server may answer by reading everybody's
# messages first, for a thousand rows as for all of a city's, seven seconds each time.
_CLAIM: Final = """
WITH picked AS (
    SELECT ctid AS place, message_id, attempt, subject, template, personal, lane, due_at, provider AS asked
    FROM delivery WHERE channel = $1 AND status = 'queued' AND due_at <= $2::timestamptz AND lane <= $3
    ORDER BY lane, due_at LIMIT $4 FOR UPDATE SKIP LOCKED
), known AS MATERIALIZED (
    SELECT p.*,
           p.personal AND (SELECT n.blocked FROM do_not_write n WHERE n.subject = p.subject) AS dead,
           p.personal AND (SELECT NOT o.information FROM preference o WHERE o.subject = p.subject) AS unwanted,
           p.template = ANY($10::text[]) AND (
               SELECT max(c.variables->>'valid_until') FROM message c
               WHERE c.subject = p.subject AND c.template = $11 AND NOT c.given_up)
               > (SELECT m.variables->>'due_on' FROM message m WHERE m.id = p.message_id) AS moot,
           (SELECT m.given_up FROM message m WHERE m.id = p.message_id) AS given_up
    FROM picked p
), weighed AS (
    SELECT k.*, CASE WHEN k.given_up THEN 'given_up' WHEN k.lane = 0 THEN NULL WHEN k.dead THEN 'recorded_dead'
                     WHEN k.unwanted THEN 'opted_out' WHEN k.moot THEN 'certified_since' END AS dropped
    FROM known k
), judged AS MATERIALIZED (
    SELECT w.*, w.dropped IS NULL AND $5::bool AND w.lane > 0 AND w.subject IS NOT NULL AND (
               row_number() OVER (PARTITION BY w.subject, w.lane > 0, w.dropped IS NULL
                                  ORDER BY w.lane, w.due_at, w.message_id) > 1
               OR EXISTS (SELECT FROM delivery o
                          WHERE o.subject = w.subject AND (o.channel || '') = ANY($9::text[]) AND o.lane > 0
                            AND o.message_id <> w.message_id
                            AND (o.status = 'sending' OR o.handed_at >= $6))) AS held
    FROM weighed w
), changed AS (
    UPDATE delivery d
    SET status = CASE WHEN j.dropped IN ('certified_since', 'given_up') THEN 'merged'
                      WHEN j.dropped IS NOT NULL THEN 'refused' WHEN j.held THEN 'queued' ELSE 'sending' END,
        reason = CASE WHEN j.held THEN 'one_a_day' ELSE j.dropped END,
        due_at = CASE WHEN j.held THEN $7::timestamptz ELSE d.due_at END,
        ended_at = CASE WHEN j.dropped IS NOT NULL THEN $2::timestamptz END,
        leased_until = CASE WHEN j.dropped IS NULL AND NOT j.held THEN $8::timestamptz END,
        personal = d.personal AND j.dead IS NOT TRUE
    FROM judged j WHERE d.ctid = j.place
    RETURNING d.message_id, d.attempt, d.subject, d.template, d.lane, d.status, d.personal, j.asked
)
SELECT ch.message_id, ch.attempt, ch.subject, ch.template, ch.lane, ch.status, ch.asked, m.version, m.recipient,
       m.variables::text AS variables, c.sealed, coalesce(m.division, c.division) AS division,
       m.audience IN ('citizen', 'family') AND NOT ch.personal AS to_family, o.language
FROM changed ch JOIN message m ON m.id = ch.message_id LEFT JOIN contact c ON c.subject = ch.subject
LEFT JOIN preference o ON o.subject = ch.subject AND m.audience = 'citizen'
"""
_RECORD: Final = """
WITH said AS (
    SELECT * FROM unnest($2::uuid[], $3::int2[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int2[],
                         $9::timestamptz[], $11::bool[], $12::bytea[])
    AS s (message_id, attempt, outcome, provider, reference, reason, parts, again_at, unsure, digest)
), done AS (
    UPDATE delivery d
    SET status = CASE s.outcome WHEN 'handed' THEN 'handed' WHEN 'delivered' THEN 'delivered' ELSE 'failed' END,
        leased_until = NULL, provider = s.provider, reference = s.reference, reason = nullif(s.reason, ''),
        parts = s.parts, digest = s.digest,
        handed_at = CASE WHEN s.outcome IN ('handed', 'delivered') THEN $10::timestamptz END,
        ended_at = CASE WHEN s.outcome <> 'handed' THEN $10::timestamptz END
    FROM said s
    WHERE d.message_id = s.message_id AND d.channel = $1 AND d.attempt = s.attempt AND d.status = 'sending'
    RETURNING d.message_id, d.attempt, d.subject, d.template, d.lane, d.revision, d.personal, s.outcome, s.again_at,
              CASE WHEN s.unsure THEN s.provider END AS asked
), retried AS (
    INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, provider,
                          status, due_at, reason, ended_at)
    SELECT d.message_id, $1, d.attempt + 1, d.subject, d.template, d.lane, d.revision, d.personal, d.asked,
           CASE WHEN n.subject IS NULL THEN 'queued' ELSE 'refused' END, d.again_at,
           CASE WHEN n.subject IS NOT NULL THEN 'recorded_dead' END,
           CASE WHEN n.subject IS NOT NULL THEN $10::timestamptz END
    FROM done d LEFT JOIN do_not_write n ON n.subject = d.subject AND n.blocked AND d.personal AND d.lane > 0
    WHERE d.outcome = 'again' AND d.again_at IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT d.message_id, d.subject, d.template, m.about, $1 AS channel, s.reason,
       d.outcome = 'delivered' AS delivered, d.outcome IN ('delivered', 'rejected') OR s.unsure AS tried
FROM done d JOIN message m ON m.id = d.message_id JOIN said s ON s.message_id = d.message_id
WHERE d.outcome IN ('delivered', 'rejected', 'impossible') OR (d.outcome = 'again' AND d.again_at IS NULL)
"""
# Whom its sender has asked nobody knows.
_RETURN: Final = """
UPDATE delivery SET status = 'queued', leased_until = NULL, provider = coalesce(provider, '')
WHERE status = 'sending' AND leased_until < $1
"""
# Only what no provider ever took: one that did would take the same id for the message it has.
_REDRIVE: Final = """
INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at)
SELECT d.message_id, d.channel, d.attempt + 1, d.subject, d.template, d.lane, d.revision, d.personal, 'queued',
       CASE WHEN d.lane > 0 THEN $4::timestamptz ELSE $3::timestamptz END
FROM delivery d LEFT JOIN do_not_write n ON n.subject = d.subject AND n.blocked AND d.personal AND d.lane > 0
WHERE d.channel = $1 AND d.status = 'failed' AND d.handed_at IS NULL AND d.ended_at >= $2
  AND ($5::text IS NULL OR d.reason = $5) AND n.subject IS NULL
  AND NOT EXISTS (SELECT FROM message v WHERE v.id = d.message_id AND v.given_up)
  AND NOT EXISTS (SELECT FROM delivery o WHERE o.message_id = d.message_id
                  AND ((o.channel = d.channel AND o.attempt > d.attempt)
                       OR o.status IN ('waiting', 'queued', 'sending', 'handed', 'delivered')))
  AND NOT (d.template = ANY($6::text[])
           AND EXISTS (SELECT FROM message m JOIN message y ON y.subject = m.subject AND y.template = m.template
                       WHERE m.id = d.message_id AND NOT y.given_up
                         AND (y.revision, coalesce(y.said_at, y.created_at), y.id)
                             > (m.revision, coalesce(m.said_at, m.created_at), m.id)))
ORDER BY d.lane, d.ended_at LIMIT $7
ON CONFLICT DO NOTHING
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
        asked: provider that may have it already; empty: one of them; None: none.
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
    asked: str | None


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
    tx: WriteTx, channel: str, times: Times, *, max_lane: int, limit: int, disturbing: Sequence[str]
) -> tuple[list[Claimed], int]:
    """Take queued deliveries, legal ones first. Returns what may be handed over and how many rows were looked at.

    Args:
        tx: the transaction.
        channel: its code.
        times: of this claim.
        max_lane: no lane beyond this one.
        limit: how many at most.
        disturbing: channels that disturb; by all of them together a person has one message a day.
    """
    disturbs = channel in disturbing
    if disturbs and max_lane > LEGAL_LANE:
        # Two channels must not take two messages for one person at the same moment.
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('notify one a day', 0))")
    rows = await tx.fetch(
        _CLAIM,
        channel,
        times.now,
        max_lane,
        limit,
        disturbs,
        times.day,
        times.tomorrow,
        times.lease,
        list(disturbing),
        list(REMINDERS),
        CERTIFIED,
    )
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
        asked=row["asked"],
    )


async def record(
    tx: WriteTx,
    channel: str,
    results: Sequence[tuple[Result, int, datetime | None]],
    now: datetime,
    digests: Mapping[UUID, bytes],
) -> list[Ended]:
    """Record what a provider answered.

    Args:
        tx: the transaction.
        channel: its code.
        results: with the number of the attempt, and when to try again (None: never).
        now: business time.
        digests: of what was handed over, by message.

    Returns:
        Deliveries that reached and those that failed for good.
    """
    await endings.lock(tx, channel, [result.id for result, _, _ in results])
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
        [result.unsure for result, _, _ in results],
        [digests.get(result.id) for result, _, _ in results],
    )
    return [endings.ended(row, now) for row in rows]


async def return_expired(tx: WriteTx, wall_now: datetime) -> int:
    """Queue again what a sender took and never answered for. Returns the number."""
    return int((await tx.run(_RETURN, wall_now)).rsplit(" ", 1)[-1])


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


async def count_working(tx: ReadTx, channels: Sequence[str], closed: Sequence[str], now: datetime) -> int:
    """Deliveries that senders still have to do now; `closed` are channels that wait for the morning."""
    rows = await tx.fetch(_WORKING, list(channels), now, list(closed))
    return int(rows[0]["n"])
