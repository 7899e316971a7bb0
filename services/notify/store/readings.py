"""What people look at: messages with their deliveries, inboxes, figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from services.notify.domain.delivery import Status
from services.notify.domain.languages import Language
from shared.kit.db import ReadTx, WriteTx

_BY_SUBJECT: Final = """
SELECT m.id, m.subject, m.audience, m.recipient, m.template, m.version, m.variables::text AS variables,
       m.lane, m.in_inbox, m.read_at, m.refused, m.given_up, m.created_at, NULL AS division,
       CASE WHEN m.audience = 'citizen' THEN o.language END AS language, c.reachable <> 'none' IS TRUE AS has_phone
FROM message m LEFT JOIN preference o ON o.subject = m.subject LEFT JOIN contact c ON c.subject = m.subject
WHERE m.subject = $1 AND m.audience IN ('citizen', 'family') AND (m.created_at, m.id) < ($2, $3)
ORDER BY m.created_at DESC, m.id DESC LIMIT $4
"""
_BY_AUDIENCE: Final = """
SELECT m.id, m.subject, m.audience, m.recipient, m.template, m.version, m.variables::text AS variables,
       m.lane, m.in_inbox, m.read_at, m.refused, m.given_up, m.created_at, coalesce(m.division, c.division) AS division,
       NULL AS language, false AS has_phone
FROM message m LEFT JOIN contact c ON c.subject = m.subject
WHERE m.audience = $1 AND m.in_inbox AND (m.created_at, m.id) < ($2, $3)
  AND ($5::text IS NULL OR m.recipient = $5)
  AND (cardinality($6::text[]) = 0 OR coalesce(m.division, c.division) ^@ ANY ($6::text[])
       OR (m.audience = 'officer' AND m.recipient IS NOT NULL))
  AND ($7::text[] IS NULL OR m.audience <> 'officer' OR m.recipient IS NULL OR m.recipient = ANY ($7))
ORDER BY m.created_at DESC, m.id DESC LIMIT $4
"""
_READ: Final = """
UPDATE message SET read_at = $2 WHERE id = ANY($1::uuid[]) AND in_inbox AND read_at IS NULL
RETURNING id AS message_id, subject, about, template, lane
"""
_DELIVERIES: Final = """
SELECT message_id, channel, attempt, status, due_at, provider, reference, reason, parts, digest, handed_at, ended_at
FROM delivery WHERE message_id = ANY($1::uuid[]) ORDER BY message_id, channel, attempt
"""
_MESSAGES_BY_TEMPLATE: Final = "SELECT template, count(*) AS n FROM message GROUP BY template"
_DELIVERIES_BY_STATUS: Final = (
    "SELECT channel, status, count(*) AS n, sum(parts) AS parts FROM delivery GROUP BY channel, status"
)
_TOTALS: Final = """
SELECT (SELECT count(*) FROM message WHERE in_inbox) AS in_inbox,
       (SELECT count(*) FROM message WHERE refused IS NOT NULL) AS refused,
       (SELECT count(*) FROM delivery WHERE status = 'refused' AND reason = 'recorded_dead') AS refused_later,
       (SELECT count(*) FROM contact) AS contacts
"""
_LOOKS: Final = """
INSERT INTO look (at, client_id, who, subject, found)
SELECT $1, $2, $3, f.subject, f.found FROM unnest($4::uuid[], $5::int[]) AS f (subject, found)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One attempt on one channel."""

    message_id: UUID
    channel: str
    attempt: int
    status: Status
    due_at: datetime
    provider: str | None
    reference: str | None
    reason: str | None
    parts: int
    digest: bytes | None
    handed_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message as it is kept, with its deliveries.

    Attributes:
        read_at: when its person first looked at it in his inbox.
        given_up: what it says is not so any more.
        has_phone: a phone is known by which he may look.
    """

    id: UUID
    subject: UUID | None
    audience: str
    recipient: str | None
    division: str | None
    template: str
    version: int
    variables: dict[str, object]
    lane: int
    in_inbox: bool
    read_at: datetime | None
    refused: str | None
    given_up: bool
    created_at: datetime
    language: Language
    has_phone: bool
    deliveries: list[DeliveryRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins: after this message, going back in time."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts for an operator.

    Attributes:
        states: deliveries by channel and status.
        parts: what providers bill, by channel.
        refused_dead: messages and deliveries refused because the person is recorded as dead.
    """

    contacts: int
    messages: dict[str, int]
    in_inbox: int
    states: dict[tuple[str, str], int]
    parts: dict[str, int]
    refused_dead: int


async def list_of_subject(tx: ReadTx, subject: UUID, before: Place, limit: int) -> list[MessageRow]:
    """Messages to one person or his family, newest first."""
    rows = await tx.fetch(_BY_SUBJECT, subject, before.created_at, before.id, limit)
    return await _with_deliveries(tx, rows)


async def list_of_audience(  # noqa: PLR0913  (whose)
    tx: ReadTx,
    audience: str,
    before: Place,
    limit: int,
    *,
    recipient: str | None,
    divisions: Sequence[str],
    programs: Sequence[str] | None,
) -> list[MessageRow]:
    """An inbox that several people read, newest first.

    Args:
        tx: the transaction.
        audience: whose inbox.
        before: where the page begins.
        limit: how many at most.
        recipient: only what is addressed so.
        divisions: prefixes; none is every one. What is addressed to a program's officers belongs to none.
        programs: of that, only these; None is every one.
    """
    place = (before.created_at, before.id)
    rows = await tx.fetch(_BY_AUDIENCE, audience, *place, limit, recipient, list(divisions), programs)
    return await _with_deliveries(tx, rows)


async def _with_deliveries(tx: ReadTx, rows: Sequence[asyncpg.Record]) -> list[MessageRow]:
    kept: dict[UUID, list[DeliveryRow]] = {row["id"]: [] for row in rows}
    if kept:
        for row in await tx.fetch(_DELIVERIES, list(kept)):
            kept[row["message_id"]].append(DeliveryRow(**{**row, "status": Status(row["status"])}))
    return [
        MessageRow(
            **{
                **row,
                "variables": orjson.loads(row["variables"]),
                "language": Language(row["language"] or Language.CHINESE),
                "deliveries": kept[row["id"]],
            }
        )
        for row in rows
    ]


async def note_read(tx: WriteTx, ids: Sequence[UUID], at: datetime) -> list[asyncpg.Record]:
    """Note that a person has looked at messages in his inbox. Returns those he sees for the first time."""
    return await tx.fetch(_READ, list(ids), at)


async def note_looks(tx: WriteTx, found: Mapping[UUID, int], *, client_id: str, who: str, at: datetime) -> None:
    """Keep who looked at whose messages, and at how many of each person, before the answer leaves."""
    await tx.run(_LOOKS, at, client_id, who, list(found), list(found.values()))


async def count_all(tx: ReadTx) -> Figures:
    """The counts an operator asks first."""
    messages = {row["template"]: row["n"] for row in await tx.fetch(_MESSAGES_BY_TEMPLATE)}
    states: dict[tuple[str, str], int] = {}
    parts: dict[str, int] = {}
    for row in await tx.fetch(_DELIVERIES_BY_STATUS):
        states[row["channel"], row["status"]] = row["n"]
        parts[row["channel"]] = parts.get(row["channel"], 0) + int(row["parts"])
    totals = (await tx.fetch(_TOTALS))[0]
    return Figures(
        contacts=totals["contacts"],
        messages=messages,
        in_inbox=totals["in_inbox"],
        states=states,
        parts=parts,
        refused_dead=totals["refused"] + totals["refused_later"],
    )
