"""How people can be reached, and who must not be written to."""

from datetime import datetime
from typing import Final
from uuid import UUID

import pyarrow as pa

from shared.kit.db import ReadTx, WriteTx

_ARRIVED: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS arrived_contact"
    " (subject uuid NOT NULL, sealed bytea NOT NULL, reachable text NOT NULL, division text) ON COMMIT DELETE ROWS"
)
_KEEP: Final = """
INSERT INTO contact AS kept (subject, sealed, reachable, division, received_at)
SELECT DISTINCT ON (subject) subject, sealed, reachable, division, $1 FROM arrived_contact
ORDER BY subject, reachable DESC
ON CONFLICT (subject) DO UPDATE
SET sealed = excluded.sealed, reachable = excluded.reachable, division = excluded.division,
    received_at = excluded.received_at
WHERE excluded.received_at >= kept.received_at
"""
# What is only for people without a phone is not needed where there is one.
_WAKE: Final = """
UPDATE delivery d
SET status = CASE WHEN w.needless THEN 'merged' ELSE 'queued' END,
    reason = CASE WHEN w.needless THEN 'has_phone' END, ended_at = CASE WHEN w.needless THEN $1::timestamptz END,
    due_at = CASE WHEN d.lane = 0 THEN $1::timestamptz ELSE $2::timestamptz END
FROM (SELECT d.message_id, d.channel, d.attempt, d.reason = 'phone_unknown' AND c.reachable <> 'none' AS needless
      FROM arrived_contact a JOIN contact c USING (subject) JOIN delivery d USING (subject)
      WHERE d.status = 'waiting'
        AND CASE WHEN d.channel = ANY($3::text[]) THEN c.reachable <> 'none'
                 ELSE d.reason IN ('no_contact', 'phone_unknown') END) w
WHERE d.message_id = w.message_id AND d.channel = w.channel AND d.attempt = w.attempt
"""

_ARRIVED_DEAD: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS arrived_dead (subject uuid NOT NULL, since date, reason text NOT NULL)"
    " ON COMMIT DELETE ROWS"
)
# Every column merges by least or greatest, so the order and number of records do not matter.
_RECORD: Final = """
INSERT INTO do_not_write AS kept (subject, since, reason, recorded_at)
SELECT subject, min(since), min(reason), $1 FROM arrived_dead GROUP BY subject
ON CONFLICT (subject) DO UPDATE
SET since = least(kept.since, excluded.since), reason = least(kept.reason, excluded.reason),
    recorded_at = greatest(kept.recorded_at, excluded.recorded_at)
"""
# What the law wants said stays: whoever takes it to be sent finds that it goes to the family.
_REFUSE: Final = """
UPDATE delivery d SET status = 'refused', reason = 'recorded_dead', ended_at = $1
FROM arrived_dead a JOIN do_not_write n USING (subject)
WHERE d.subject = a.subject AND n.blocked AND d.personal AND d.lane > 0 AND d.status IN ('waiting', 'queued')
"""
_LIFT: Final = """
INSERT INTO do_not_write AS kept (subject, since, reason, lifted_at) VALUES ($1, NULL, 'lifted', $2)
ON CONFLICT (subject) DO UPDATE SET lifted_at = greatest(kept.lifted_at, excluded.lifted_at)
"""


async def lock_shard(tx: WriteTx, shard: str) -> None:
    """Let nobody else write about the people of a shard until this transaction ends.

    Contacts, deaths and messages of one person come by different consumers; without it each could miss what the other
    has not yet committed, and a message would wait for a contact that is there.
    """
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('notify shard ' || $1, 0))", shard)


async def keep_contacts(tx: WriteTx, table: pa.Table, received_at: datetime) -> None:
    """Keep contacts (columns of CONTACTS_CHANGED) unless newer ones are known."""
    await tx.run(_ARRIVED)
    columns = ["subject", "sealed", "reachable", "division"]
    await tx.copy("arrived_contact", table.select(columns).cast(_plain(table.schema, columns)))
    await tx.run(_KEEP, received_at)


async def wake_waiting(tx: WriteTx, now: datetime, opens: datetime, channels: list[str]) -> int:
    """Queue what waited for the contacts just kept; `channels` need a phone. Returns the number of deliveries."""
    return _count(await tx.run(_WAKE, now, opens, channels))


async def record_dead(tx: WriteTx, table: pa.Table, recorded_at: datetime, now: datetime) -> None:
    """Record people (subject, since, reason) as dead, and refuse what is still to be sent to them."""
    if table.num_rows == 0:
        return
    await tx.run(_ARRIVED_DEAD)
    await tx.copy("arrived_dead", table)
    await tx.run(_RECORD, recorded_at)
    await tx.run(_REFUSE, now)


async def lift_dead(tx: WriteTx, subject: UUID, concluded_at: datetime) -> None:
    """Note that people found somebody alive: records of a death before that do not count any more."""
    await tx.run(_LIFT, subject, concluded_at)


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
