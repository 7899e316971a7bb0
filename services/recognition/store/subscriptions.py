"""Webhook subscriptions of partners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A partner's endpoint and what it wants to hear."""

    subscription_id: UUID
    client_id: str
    url: str
    kinds: Sequence[str]
    programs: Sequence[str]
    secret: bytes
    status: SubscriptionStatus
    reason: str
    version: int
    created_at: datetime
    changed_at: datetime


_COLUMNS = ", ".join(Subscription.__dataclass_fields__)


def _made(row: asyncpg.Record) -> Subscription:
    return Subscription(**{**row, "status": SubscriptionStatus(row["status"])})


async def save(tx: WriteTx, one: Subscription) -> None:
    """Keep a subscription as it is now."""
    names = list(Subscription.__dataclass_fields__)
    places = ", ".join(f"${at}" for at in range(1, len(names) + 1))
    changed = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    await tx.run(
        f"INSERT INTO subscription ({_COLUMNS}) VALUES ({places}) "  # noqa: S608  (column names)
        f"ON CONFLICT (subscription_id) DO UPDATE SET {changed}",
        *(getattr(one, name) for name in names),
    )


async def find(tx: ReadTx, subscription_id: UUID) -> Subscription | None:
    """One subscription; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM subscription WHERE subscription_id = $1{hold}",  # noqa: S608  (column names)
        subscription_id,
    )
    return _made(rows[0]) if rows else None


async def list_of(tx: ReadTx, client_id: str) -> list[Subscription]:
    """Subscriptions of a client that have not ended, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM subscription WHERE client_id = $1 AND status <> 'ended' "  # noqa: S608
        "ORDER BY subscription_id",
        client_id,
    )
    return [_made(row) for row in rows]


async def set_status(tx: WriteTx, subscription_id: UUID, status: SubscriptionStatus, reason: str, at: datetime) -> None:
    """Note what became of an endpoint; one that has ended stays so."""
    await tx.run(
        "UPDATE subscription SET status = $2, reason = $3, changed_at = $4, version = version + 1 "
        "WHERE subscription_id = $1 AND status <> 'ended' AND (status, reason) <> ($2, $3)",
        subscription_id,
        status,
        reason,
        at,
    )


async def webhook_clients(tx: ReadTx) -> list[asyncpg.Record]:
    """Clients with endpoints, and the programs those want to hear of."""
    return await tx.fetch(
        "SELECT client_id, array_agg(DISTINCT program) AS programs FROM subscription s, unnest(s.programs) AS program "
        "WHERE s.status <> 'ended' GROUP BY client_id ORDER BY client_id"
    )
