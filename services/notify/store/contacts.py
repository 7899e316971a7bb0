"""How people can be reached, and who must not be written to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import pyarrow as pa

from services.notify.domain.plan import Way
from services.notify.domain.template import Template
from shared.kit.db import ReadTx, WriteTx

_ARRIVED: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS arrived_contact"
    " (subject uuid NOT NULL, sealed bytea NOT NULL, reachable text NOT NULL, division text) ON COMMIT DELETE ROWS"
)
_KEEP: Final = """
INSERT INTO contact AS kept (subject, sealed, reachable, division, received_at)
SELECT DISTINCT ON (subject) subject, sealed, reachable, division, $1 FROM arrived_contact
ORDER BY subject, array_position(ARRAY['phone', 'family', 'none'], reachable)
ON CONFLICT (subject) DO UPDATE
SET sealed = excluded.sealed, reachable = excluded.reachable, division = excluded.division,
    received_at = excluded.received_at
WHERE excluded.received_at >= kept.received_at
"""
_WAKE: Final = """
UPDATE delivery d
SET status = 'queued', reason = NULL, due_at = CASE WHEN d.lane = 0 THEN $1::timestamptz ELSE $2::timestamptz END
FROM (SELECT d.message_id, d.channel, d.attempt
      FROM arrived_contact a JOIN contact c USING (subject) JOIN delivery d USING (subject)
      WHERE d.status = 'waiting'
        AND CASE WHEN d.channel = ANY($3::text[]) THEN c.reachable <> 'none' ELSE d.reason = 'no_contact' END) w
WHERE d.message_id = w.message_id AND d.channel = w.channel AND d.attempt = w.attempt
"""
# Messages that came before the contact, and that nobody tried to bring by phone: their person turns out to have none.
_ANNOUNCE: Final = """
INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at)
SELECT m.id, w.channel, 1, m.subject, m.template, m.lane, m.revision, m.audience = 'citizen', 'queued',
       CASE WHEN w.disturbs AND m.lane > 0 THEN $2::timestamptz ELSE $1::timestamptz END
FROM (SELECT DISTINCT subject FROM arrived_contact) a
JOIN contact c ON c.subject = a.subject AND c.reachable = 'none'
JOIN message m ON m.subject = a.subject AND m.created_at >= $3::timestamptz
JOIN unnest($5::text[], $6::text[], $7::bool[], $8::bool[], $9::bool[])
    AS w (template, channel, disturbs, for_family, latest_only) USING (template)
LEFT JOIN preference o ON o.subject = m.subject AND m.audience = 'citizen'
LEFT JOIN do_not_write n ON n.subject = m.subject AND n.blocked
WHERE m.refused IS NULL AND NOT m.given_up AND NOT (m.lane > 0 AND o.information IS FALSE)
  AND (w.for_family OR m.audience <> 'family') AND (n.subject IS NULL OR (m.lane = 0 AND w.for_family))
  AND NOT EXISTS (SELECT FROM delivery d WHERE d.message_id = m.id AND d.channel = ANY($4::text[])
                  AND d.status <> 'waiting')
  AND NOT (w.latest_only AND EXISTS (SELECT FROM message y WHERE y.subject = m.subject AND y.template = m.template
                                     AND NOT y.given_up AND (y.revision, coalesce(y.said_at, y.created_at), y.id)
                                         > (m.revision, coalesce(m.said_at, m.created_at), m.id)))
ON CONFLICT DO NOTHING
"""

_ARRIVED_DEAD: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS arrived_dead (subject uuid NOT NULL, record_id uuid NOT NULL,"
    " revision integer NOT NULL, stands boolean NOT NULL, since date, reason text NOT NULL) ON COMMIT DELETE ROWS"
)
# Of each record the highest revision counts, and of that its newest telling: order and number do not matter.
_KEEP_DEAD: Final = """
INSERT INTO death_record AS kept (subject, record_id, revision, stands, since, reason, recorded_at)
SELECT subject, record_id, revision, stands, since, reason, $1 FROM arrived_dead
ON CONFLICT (subject, record_id) DO UPDATE
SET revision = excluded.revision, stands = excluded.stands, since = excluded.since, reason = excluded.reason,
    recorded_at = CASE WHEN excluded.revision > kept.revision THEN excluded.recorded_at
                       ELSE greatest(kept.recorded_at, excluded.recorded_at) END
WHERE excluded.revision >= kept.revision
"""
# Who was found alive may have died since: a death after the day on which he lived is answered by nothing said of it.
_RECORD: Final = """
WITH weighed AS (
    SELECT r.*, r.stands AND NOT EXISTS (
               SELECT FROM death_record a WHERE a.subject = r.subject AND a.recorded_at >= r.recorded_at
                   AND (a.reason = 'alive_undated' AND r.since IS NULL OR a.reason = 'alive_unsuspected'
                        AND r.since IS NULL AND r.reason NOT IN ('visit', 'stop_request', 'confirmed')
                        OR a.reason = 'alive' AND (a.since IS NULL
                        OR coalesce(r.since, (r.recorded_at AT TIME ZONE 'Asia/Shanghai')::date) <= a.since)))
               AS counts
    FROM death_record r WHERE r.subject IN (SELECT subject FROM arrived_dead)
)
INSERT INTO do_not_write AS kept (subject, since, reason, recorded_at, lifted_at)
SELECT subject, min(since) FILTER (WHERE counts), coalesce(min(reason) FILTER (WHERE counts), 'taken_back'),
       max(recorded_at) FILTER (WHERE counts),
       CASE WHEN NOT bool_or(counts) THEN max(recorded_at) FILTER (WHERE reason LIKE 'alive%') END
FROM weighed w
GROUP BY subject HAVING bool_or(counts) OR EXISTS (SELECT FROM do_not_write n WHERE n.subject = w.subject)
ON CONFLICT (subject) DO UPDATE
SET since = excluded.since, reason = excluded.reason, recorded_at = excluded.recorded_at, lifted_at = excluded.lifted_at
"""
# What the law wants said stays: whoever takes it to be sent finds that it goes to the family.
_REFUSE: Final = """
UPDATE delivery d SET status = 'refused', reason = 'recorded_dead', ended_at = $1
FROM arrived_dead a JOIN do_not_write n USING (subject)
WHERE d.subject = a.subject AND n.blocked AND d.personal AND d.lane > 0 AND d.status IN ('waiting', 'queued')
"""


async def lock_shard(tx: WriteTx, shard: str) -> None:
    """Let nobody else write about the people of a shard until this transaction ends.

    Contacts, deaths and messages of one person come by different consumers; without it each could miss what the other
    has not yet committed, and a message would wait for a contact that is there.
    """
    await lock_shards(tx, [shard])


async def lock_shards(tx: WriteTx, shards: Sequence[str]) -> None:
    """The same for several, one after the other as they are given: ascending, or two would wait for each other."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended('notify shard ' || shard, 0)) FROM unnest($1::text[]) AS shard",
        list(shards),
    )


async def keep_contacts(tx: WriteTx, table: pa.Table, received_at: datetime) -> None:
    """Keep contacts (columns of CONTACTS_CHANGED) unless newer ones are known."""
    await tx.run(_ARRIVED)
    columns = ["subject", "sealed", "reachable", "division"]
    await tx.copy("arrived_contact", table.select(columns).cast(_plain(table.schema, columns)))
    await tx.run(_KEEP, received_at)


async def wake_waiting(tx: WriteTx, now: datetime, opens: datetime, channels: list[str]) -> int:
    """Queue what waited for the contacts just kept; `channels` need a phone. Returns the number of deliveries."""
    return _count(await tx.run(_WAKE, now, opens, channels))


async def announce(
    tx: WriteTx,
    ways: Sequence[tuple[Template, Way]],
    now: datetime,
    opens: datetime,
    since: datetime,
    phones: list[str],
) -> int:
    """Queue what people without a phone are told in their village, for the contacts just kept.

    Args:
        tx: the transaction in which they were kept.
        ways: the channels that are only for people without a phone, by template.
        now: business time.
        opens: when people may be disturbed next.
        since: messages from before are told no more.
        phones: channels that need a phone.

    Returns:
        The number of deliveries.
    """
    return _count(
        await tx.run(
            _ANNOUNCE,
            now,
            opens,
            since,
            phones,
            [template.code for template, _ in ways],
            [way.code for _, way in ways],
            [way.disturbs for _, way in ways],
            [way.for_family for _, way in ways],
            [template.latest_only for template, _ in ways],
        )
    )


async def record_dead(tx: WriteTx, table: pa.Table, recorded_at: datetime, now: datetime) -> None:
    """Keep records of deaths and of people found alive (DEAD_SCHEMA); refuse what is to be sent to whoever is dead."""
    if table.num_rows == 0:
        return
    await tx.run(_ARRIVED_DEAD)
    await tx.run("DELETE FROM arrived_dead")
    await tx.copy("arrived_dead", table)
    await tx.run(_KEEP_DEAD, recorded_at)
    await tx.run(_RECORD)
    await tx.run(_REFUSE, now)


async def is_blocked(tx: ReadTx, subject: UUID) -> bool:
    """Whether a record of his death stands, so that he must not be written to."""
    return bool(await tx.fetch("SELECT FROM do_not_write WHERE subject = $1 AND blocked", subject))


async def find_division(tx: ReadTx, subject: UUID) -> str | None:
    """Village of a person; None where it is not known."""
    rows = await tx.fetch("SELECT division FROM contact WHERE subject = $1", subject)
    return rows[0]["division"] if rows else None


async def count_contacts(tx: ReadTx) -> int:
    """How many people's contacts are known."""
    rows = await tx.fetch("SELECT count(*) AS n FROM contact")
    return int(rows[0]["n"])


def _plain(schema: pa.Schema, columns: list[str]) -> pa.Schema:
    """Dictionary columns as plain text: the encoder of COPY does not know dictionaries."""
    fields = [schema.field(name) for name in columns]
    return pa.schema(
        [pa.field(each.name, pa.string() if pa.types.is_dictionary(each.type) else each.type) for each in fields]
    )


def _count(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[-1])
