"""Messages written with their first deliveries, as many as an event brings at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final
from uuid import UUID

import asyncpg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.notify.domain.drafts import CERTIFIED, DRAFT_SCHEMA, REMINDERS, Drafts
from services.notify.domain.plan import Plan
from services.notify.store import given_up
from shared.kit.arrow import subject_array
from shared.kit.db import WriteTx

TOLD_SCHEMA: Final = pa.schema(
    {"subject": pa.binary(16), "message_id": pa.binary(16), "about": pa.binary(16), "template": pa.string()}
)

_ID: Final = pa.binary(16)
_NOTHING: Final = UUID(int=0)

_DRAFT: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS draft (id uuid NOT NULL, subject uuid, recipient text, division text,"
    " about uuid, decision uuid, variables text NOT NULL, revision integer NOT NULL, said_at timestamptz,"
    " template text NOT NULL, given_up boolean NOT NULL DEFAULT false)"
    " ON COMMIT DELETE ROWS"
)
# Of a message `m`: somebody has been handed it, or a provider may have it.
_HANDED: Final = """
EXISTS (SELECT FROM delivery s WHERE s.message_id = m.id
        AND (s.handed_at IS NOT NULL OR s.status = 'sending' OR (s.status = 'queued' AND s.provider IS NOT NULL)))
"""
# What somebody has been handed, or has read, is not changed beneath it, nor is what has been given up: what is known
# since is a message of its own, unless one that knows more has been written.
_RENEW: Final = f"""
UPDATE draft d
SET (id, revision, said_at) = (
    SELECT CASE WHEN k.more THEN d.id
           ELSE md5(uuid_send(d.id) || int4send(d.revision) || coalesce(timestamptz_send(d.said_at), ''))::uuid END,
           CASE WHEN k.more THEN m.revision ELSE d.revision END, CASE WHEN k.more THEN m.said_at ELSE d.said_at END
    FROM (SELECT EXISTS (SELECT FROM message y WHERE y.subject = m.subject AND y.template = m.template
                         AND NOT y.given_up AND (coalesce(y.said_at, '-infinity'), y.revision)
                             > (coalesce(d.said_at, '-infinity'), d.revision)) AS more) k)
FROM message m
WHERE m.id = d.id AND d.template = ANY($1::text[])
  AND (m.given_up AND d.about <> m.about
       OR (coalesce(d.said_at, '-infinity'), d.revision) > (coalesce(m.said_at, '-infinity'), m.revision)
          AND (m.given_up OR m.read_at IS NOT NULL OR {_HANDED}))
"""  # noqa: S608  (our own text)
# An end that stands is not told again, whatever certificate it is of by now: its message learns of that one. Unless
# the person may have heard of another end since, which was given up, or nothing brings it any more, as what was to went
# into a newer message. Person by person, whatever the statistics say.
_STANDS: Final = f"""
UPDATE draft d SET id = coalesce((
    SELECT o.id FROM (
        SELECT m.id, m.revision, m.refused, coalesce(m.said_at, m.created_at) AS said_at,
               m.read_at IS NOT NULL OR {_HANDED} OR NOT EXISTS (
                   SELECT FROM delivery s WHERE s.message_id = m.id AND s.reason = 'newer_message') AS heard
        FROM message m
        WHERE m.subject = d.subject AND m.template = d.template AND NOT m.given_up
        ORDER BY coalesce(m.said_at, m.created_at) DESC, m.revision DESC LIMIT 1) o
    WHERE o.revision = d.revision AND o.refused IS NULL AND o.heard AND NOT EXISTS (
        SELECT FROM message m
        WHERE m.subject = d.subject AND m.template = d.template AND m.given_up
          AND coalesce(m.said_at, m.created_at) > o.said_at AND (m.read_at IS NOT NULL OR {_HANDED}))), d.id)
WHERE d.template = $1 AND NOT d.given_up
"""  # noqa: S608  (our own text)
# One statement: what is written decides which deliveries there are. A message known already only learns more. Whoever
# is recorded as dead is told nothing; what the law wants said goes to the family instead. What is only for people
# without a phone gets no row before a phone is known to be missing: `announce` writes it then.
_WRITE: Final = """
WITH said AS (
    SELECT * FROM unnest($1::text[], $2::int2[], $3::text[], $4::int2[], $5::bool[])
    AS s (template, version, audience, lane, in_inbox)
), way AS (
    SELECT * FROM unnest($6::text[], $7::text[], $8::text[], $9::bool[], $12::bool[], $13::bool[])
    AS w (template, channel, reach, disturbs, for_family, without_phone)
), written AS (
    INSERT INTO message AS m (id, subject, audience, recipient, division, about, decision_id, template,
                              version, variables, lane, revision, said_at, in_inbox, refused, given_up, created_at)
    SELECT d.id, d.subject, CASE WHEN n.subject IS NOT NULL AND s.lane = 0 THEN 'family' ELSE s.audience END,
           d.recipient, d.division, d.about, d.decision, d.template, s.version, d.variables::jsonb, s.lane, d.revision,
           d.said_at, s.in_inbox AND n.subject IS NULL AND NOT d.given_up,
           CASE WHEN n.subject IS NOT NULL AND s.lane > 0 THEN 'recorded_dead' END, d.given_up, $10::timestamptz
    FROM draft d JOIN said s USING (template)
    LEFT JOIN do_not_write n ON n.subject = d.subject AND n.blocked AND s.audience = 'citizen'
    ON CONFLICT (id) DO UPDATE
    SET variables = excluded.variables, revision = excluded.revision, version = excluded.version,
        about = excluded.about, said_at = excluded.said_at
    WHERE NOT m.given_up AND NOT excluded.given_up
      AND (coalesce(excluded.said_at, '-infinity'), excluded.revision) > (coalesce(m.said_at, '-infinity'), m.revision)
    RETURNING m.id, m.subject, m.about, m.template, m.audience, m.lane, m.revision, m.in_inbox, m.refused, m.given_up,
              old.id IS NULL AS fresh
), sent AS (
    INSERT INTO delivery (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at,
                          reason)
    SELECT m.id, w.channel, 1, m.subject, m.template, m.lane, m.revision, m.audience = 'citizen',
           CASE WHEN p.lacks IS NULL THEN 'queued' ELSE 'waiting' END,
           CASE WHEN w.disturbs AND m.lane > 0 THEN $11::timestamptz ELSE $10::timestamptz END, p.lacks
    FROM written m JOIN way w USING (template)
    LEFT JOIN contact c ON c.subject = m.subject
    LEFT JOIN preference o ON o.subject = m.subject AND m.audience = 'citizen'
    CROSS JOIN LATERAL (SELECT CASE WHEN c.subject IS NULL AND w.reach IN ('phone', 'village') THEN 'no_contact'
                                    WHEN c.reachable = 'none' AND w.reach = 'phone' THEN 'no_phone' END AS lacks) p
    WHERE m.fresh AND m.refused IS NULL AND NOT m.given_up AND NOT (m.lane > 0 AND o.information IS FALSE)
      AND (w.for_family OR m.audience <> 'family') AND (NOT w.without_phone OR c.reachable = 'none')
    RETURNING status
)
SELECT template, count(*) FILTER (WHERE fresh) AS fresh,
       count(*) FILTER (WHERE fresh AND refused IS NOT NULL) AS refused,
       (SELECT count(*) FROM sent WHERE status = 'queued') AS queued,
       string_agg(uuid_send(written.subject) || uuid_send(id) || uuid_send(coalesce(about, $14::uuid)), ''::bytea)
           FILTER (WHERE fresh AND in_inbox AND lane > 0 AND audience IN ('citizen', 'family')
                   AND c.reachable <> 'none') AS told
FROM written LEFT JOIN contact c USING (subject) GROUP BY template
"""
_MERGE: Final = """
UPDATE delivery d SET status = 'merged', reason = 'newer_message', ended_at = $2
FROM draft x
WHERE x.template = ANY($1::text[]) AND d.subject = x.subject AND d.template = x.template
  AND d.status IN ('queued', 'waiting')
  AND EXISTS (SELECT FROM delivery n
              WHERE n.subject = d.subject AND n.channel = d.channel AND n.template = d.template
                AND n.status IN ('queued', 'waiting') AND (n.revision, n.message_id) > (d.revision, d.message_id)
                AND NOT (SELECT m.given_up FROM message m WHERE m.id = n.message_id))
"""
# What a village has on its list goes as well: it has not been brought yet.
_WITHDRAW: Final = """
UPDATE delivery d SET status = 'merged', reason = 'certified_since', ended_at = $2
FROM draft x, message m
WHERE x.template = $1 AND NOT x.given_up AND d.subject = x.subject AND d.template = ANY($3::text[])
  AND m.id = d.message_id
  AND (d.status IN ('queued', 'waiting') OR (d.status = 'handed' AND d.channel = ANY($4::text[])))
  AND m.variables->>'due_on' < x.variables::jsonb->>'valid_until'
"""
# What nobody has been handed; of what a provider may have, the same id would be taken for the same message.
_TAKE_BACK: Final = f"""
WITH kept AS (
    DELETE FROM message m
    WHERE m.subject = $1 AND m.created_at >= $2 AND m.read_at IS NULL AND m.template = ANY($3::text[])
      AND NOT m.given_up
      AND (m.refused = 'recorded_dead' OR m.audience = 'family'
           OR EXISTS (SELECT FROM delivery d WHERE d.message_id = m.id AND d.reason = 'recorded_dead'))
      AND NOT {_HANDED}
    RETURNING m.id, m.subject, m.recipient, m.division, m.about, m.decision_id, m.variables, m.revision,
              m.said_at, m.template
), tries AS (
    DELETE FROM delivery d USING kept WHERE d.message_id = kept.id
)
SELECT uuid_send(id) AS id, uuid_send(subject) AS subject, recipient, division, uuid_send(about) AS about,
       uuid_send(decision_id) AS decision, variables::text AS variables, revision, said_at, template
FROM kept ORDER BY template
"""  # noqa: S608  (our own text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of drafts.

    Attributes:
        fresh: messages that were not there before.
        refused: messages to people recorded as dead, among them.
        queued: deliveries that a sender can take.
        told: fresh messages in people's inboxes: subject, message_id, about, template. A legal notice is not told by
            lying there, nor is anything to somebody without a phone: its person has to look at it.
    """

    fresh: int
    refused: int
    queued: int
    told: pa.Table


async def write_drafts(
    tx: WriteTx,
    drafts: Sequence[Drafts],
    plans: Mapping[str, Plan],
    *,
    now: datetime,
    opens: datetime,
    villages: Sequence[str],
) -> Written:
    """Write messages with their deliveries; those that are there already stay, or learn what a higher revision knows.

    Args:
        tx: the transaction.
        drafts: of any templates, at most one lot of each.
        plans: by template.
        now: business time.
        opens: when people may be disturbed next.
        villages: channels by which villages bring what they have been handed.
    """
    table = pa.concat_tables([_with_template(each) for each in drafts if each.rows.num_rows] or [_EMPTY])
    if table.num_rows == 0:
        return _sum([])
    await tx.run(_DRAFT)
    await tx.run("DELETE FROM draft")
    await tx.copy("draft", table)
    used = [plans[each.template] for each in drafts]
    latest = [each.template.code for each in used if each.template.latest_only]
    if CERTIFIED in latest:
        await given_up.before_writing(tx, now, channels=villages)
    if latest:
        await tx.run(_RENEW, latest)
    if CERTIFIED in latest:
        await tx.run(_STANDS, CERTIFIED)
    ways = [(each.template.code, way) for each in used for way in each.first]
    rows = await tx.fetch(
        _WRITE,
        [each.template.code for each in used],
        [each.version.number for each in used],
        [each.template.audience.value for each in used],
        [each.template.lane for each in used],
        [each.in_inbox for each in used],
        [code for code, _ in ways],
        [way.code for _, way in ways],
        [way.reach.value for _, way in ways],
        [way.disturbs for _, way in ways],
        now,
        opens,
        [way.for_family for _, way in ways],
        [way.without_phone for _, way in ways],
        _NOTHING,
    )
    if latest and any(row["fresh"] for row in rows):
        await tx.run(_MERGE, latest, now)
    return _sum(rows)


async def withdraw_reminders(tx: WriteTx, channels: Sequence[str], now: datetime) -> None:
    """Withdraw reminders of days beyond which those just written to are certified; `channels` are the villages'."""
    await tx.run(_WITHDRAW, CERTIFIED, now, list(REMINDERS), list(channels))


async def take_back(tx: WriteTx, subject: UUID, since: datetime, templates: Collection[str]) -> list[Drafts]:
    """Take back what was written since then to a person taken for dead and reached nobody, to be written anew."""
    rows = [dict(row) for row in await tx.fetch(_TAKE_BACK, subject, since, list(templates))]
    return [
        Drafts(template=template, rows=pa.Table.from_pylist(list(some), schema=DRAFT_SCHEMA))
        for template, some in groupby(rows, key=itemgetter("template"))
    ]


def _sum(rows: Sequence[asyncpg.Record]) -> Written:
    told = [_told(row["template"], row["told"]) for row in rows if row["told"]]
    return Written(
        fresh=sum(row["fresh"] for row in rows),
        refused=sum(row["refused"] for row in rows),
        queued=max((row["queued"] for row in rows), default=0),
        told=pa.concat_tables(told or [TOLD_SCHEMA.empty_table()]),
    )


def _told(template: str, raw: bytes) -> pa.Table:
    triples = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 48)
    names = pa.array([template] * len(triples), pa.string())
    about = pc.if_else(pa.array(triples[:, 32:].any(axis=1)), subject_array(triples[:, 32:]), pa.scalar(None, _ID))
    return pa.table(
        [subject_array(triples[:, :16]), subject_array(triples[:, 16:32]), about, names],
        schema=TOLD_SCHEMA,
    )


_EMPTY: Final = DRAFT_SCHEMA.append(pa.field("template", pa.string())).empty_table()


def _with_template(drafts: Drafts) -> pa.Table:
    names = pa.array([drafts.template] * drafts.rows.num_rows, pa.string())
    return drafts.rows.append_column("template", names)
