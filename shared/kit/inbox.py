"""Hearing things once: an inbox row in the transaction of the effect, and the table where poison is parked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.kit.db import ReadTx, WriteTx


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """Which events each consumer has handled."""
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("event_id", pg.UUID(as_uuid=True), primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def dead_letter_table(metadata: sa.MetaData) -> sa.Table:
    """Messages that could not be handled, whole, until somebody redrives or discards them."""
    return sa.Table(
        "dead_letter",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("event_id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("headers", pg.JSONB, nullable=False),
        sa.Column("body", pg.BYTEA, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("redriven_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("consumer", "event_id"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A parked message."""

    id: int
    consumer: str
    event_id: UUID
    subject: str
    headers: Mapping[str, str]
    body: bytes
    reason: str
    parked_at: datetime


async def claim(tx: WriteTx, consumer: str, event_id: UUID) -> bool:
    """Take an event for a consumer; False when it was handled before, in this or another process."""
    # The row lock of the primary key makes a second taker wait for the first one's commit.
    tag = await tx.run(
        "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, event_id
    )
    return tag.endswith("1")


async def claim_all(tx: WriteTx, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Take several events for a consumer; returns those that had not been handled before."""
    rows = await tx.fetch(
        "INSERT INTO inbox (consumer, event_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING "
        "RETURNING event_id",
        consumer,
        list(event_ids),
    )
    return {UUID(bytes=row["event_id"].bytes) for row in rows}


async def note_try(tx: WriteTx, consumer: str, event_id: UUID, most: int) -> bool:
    """Note that a process takes up a message it may die of; False when `most` processes before left their notes."""
    for name in _tries(consumer, most):
        if await claim(tx, name, event_id):
            return True
    return False


async def forget_tries(tx: WriteTx, consumer: str, event_id: UUID, most: int) -> None:
    """Take the notes away: a process has lived to give the message back."""
    await tx.run(
        "DELETE FROM inbox WHERE consumer = ANY($1::text[]) AND event_id = $2", _tries(consumer, most), event_id
    )


def _tries(consumer: str, most: int) -> list[str]:
    return [f"{consumer} in hand {number + 1}" for number in range(most)]


async def park(  # noqa: PLR0913  (a message has this many parts)
    tx: WriteTx, *, consumer: str, event_id: UUID, subject: str, headers: Mapping[str, str], body: bytes, reason: str
) -> None:
    """Keep a message that cannot be handled; parking it twice keeps it once."""
    await tx.run(
        "INSERT INTO dead_letter (consumer, event_id, subject, headers, body, reason) "
        "VALUES ($1, $2, $3, $4::text::jsonb, $5, $6) ON CONFLICT (consumer, event_id) DO UPDATE "
        "SET reason = excluded.reason, parked_at = now(), redriven_at = NULL",
        consumer,
        event_id,
        subject,
        orjson.dumps(dict(headers)).decode(),
        body,
        reason[:2000],
    )


_PARKED = (
    "SELECT id, consumer, event_id, subject, headers::text AS headers, body, reason, parked_at FROM dead_letter "
    "WHERE redriven_at IS NULL "
)


async def list_dead_letters(tx: ReadTx, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
    """Parked messages not yet redriven, oldest first, behind the one with the number `after`."""
    return [_letter(row) for row in await tx.fetch(f"{_PARKED} AND id > $2 ORDER BY id LIMIT $1", limit, after)]


async def find_dead_letter(tx: ReadTx, dead_letter_id: int) -> DeadLetter | None:
    """One parked message that has not been redriven."""
    rows = await tx.fetch(f"{_PARKED} AND id = $1", dead_letter_id)
    return _letter(rows[0]) if rows else None


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(**{**row, "headers": orjson.loads(row["headers"])})


async def mark_redriven(tx: WriteTx, dead_letter_id: int) -> None:
    """Note that a parked message has been handled after all."""
    await tx.run("UPDATE dead_letter SET redriven_at = now() WHERE id = $1", dead_letter_id)


async def discard(tx: WriteTx, dead_letter_id: int) -> None:
    """Forget a parked message; it counts as handled, so that it never takes effect, however often it comes again."""
    await tx.run(
        "WITH gone AS (DELETE FROM dead_letter WHERE id = $1 RETURNING consumer, event_id) "
        "INSERT INTO inbox (consumer, event_id) SELECT consumer, event_id FROM gone ON CONFLICT DO NOTHING",
        dead_letter_id,
    )
