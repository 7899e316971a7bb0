"""Webhook endpoints of partners: what they asked for, whether they are proved, how they fare."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.notify.domain.endpoints import Endpoint
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.db import ReadTx, WriteTx

_COLUMNS: Final = (
    "subscription_id, client_id, url, kinds, programs, secret, previous_secret, previous_until, status, reason,"
    " version, failures, asked_at"
)
_FIND: Final = f"SELECT {_COLUMNS} FROM endpoint WHERE subscription_id = $1"  # noqa: S608  (names are ours)
_KEEP: Final = f"""
INSERT INTO endpoint AS kept ({_COLUMNS}, due_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $12, $12)
ON CONFLICT (subscription_id) DO UPDATE
SET url = excluded.url, kinds = excluded.kinds, programs = excluded.programs, secret = excluded.secret,
    previous_secret = excluded.previous_secret, previous_until = excluded.previous_until, status = excluded.status,
    reason = excluded.reason, version = excluded.version, changed_at = excluded.changed_at,
    failures = CASE WHEN excluded.status = 'active' THEN kept.failures ELSE 0 END,
    due_at = CASE WHEN excluded.status = 'active' THEN kept.due_at ELSE excluded.due_at END, leased_until = NULL
WHERE excluded.version > kept.version
RETURNING {_COLUMNS}
"""  # noqa: S608  (names are ours)
_CHALLENGES: Final = f"""
UPDATE endpoint SET leased_until = $2
WHERE subscription_id = ANY (ARRAY(
    SELECT subscription_id FROM endpoint
    WHERE status = 'pending' AND due_at <= $1::timestamptz AND (leased_until IS NULL OR leased_until < $3::timestamptz)
    LIMIT 50 FOR UPDATE SKIP LOCKED))
RETURNING {_COLUMNS}
"""  # noqa: S608  (names are ours)
_LIST: Final = f"""
SELECT {_COLUMNS}, changed_at, succeeded_at,
       (SELECT count(*) FROM post p WHERE p.subscription_id = e.subscription_id AND p.status IN ('queued', 'sending'))
           AS waiting,
       (SELECT count(*) FROM post p WHERE p.subscription_id = e.subscription_id AND p.status = 'failed') AS failed
FROM endpoint e WHERE $1::text IS NULL OR client_id = $1 ORDER BY asked_at DESC, subscription_id LIMIT 500
"""  # noqa: S608  (names are ours)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRow:
    """An endpoint with its counts.

    Attributes:
        waiting: events still to be posted.
        failed: events given up.
    """

    endpoint: Endpoint
    changed_at: datetime
    succeeded_at: datetime | None
    waiting: int
    failed: int


async def lock_client(tx: WriteTx, client_id: str, *, alone: bool) -> None:
    """Hold a partner's endpoints still: many may hear his events side by side, one alone may change who gets them."""
    kind = "" if alone else "_shared"
    await tx.run(f"SELECT pg_advisory_xact_lock{kind}(hashtextextended('notify client ' || $1, 0))", client_id)


async def find(tx: ReadTx, subscription_id: UUID) -> Endpoint | None:
    """One endpoint."""
    rows = await tx.fetch(_FIND, subscription_id)
    return _endpoint(rows[0]) if rows else None


async def keep(tx: WriteTx, endpoint: Endpoint) -> Endpoint | None:
    """Keep what the owner asked for; None when something newer is known. `asked_at` is kept from the first time."""
    rows = await tx.fetch(
        _KEEP,
        endpoint.subscription_id,
        endpoint.client_id,
        endpoint.url,
        list(endpoint.kinds),
        list(endpoint.programs),
        endpoint.secret,
        endpoint.previous_secret,
        endpoint.previous_until,
        endpoint.status.value,
        endpoint.reason,
        endpoint.version,
        endpoint.asked_at,
    )
    return _endpoint(rows[0]) if rows else None


async def take_challenges(tx: WriteTx, now: datetime, lease: datetime, wall_now: datetime) -> list[Endpoint]:
    """Endpoints to be proved now, each for this process alone until the lease ends."""
    return [_endpoint(row) for row in await tx.fetch(_CHALLENGES, now, lease, wall_now)]


async def set_status(
    tx: WriteTx, subscription_id: UUID, status: SubscriptionStatus, reason: str, now: datetime, *, version: int
) -> bool:
    """Change where an endpoint stands, unless its owner changed it meanwhile. Returns whether it did."""
    tag = await tx.run(
        "UPDATE endpoint SET status = $2, reason = $3, failures = 0, due_at = $4, leased_until = NULL, changed_at = $4"
        " WHERE subscription_id = $1 AND version = $5 AND status <> $2",
        subscription_id,
        status.value,
        reason,
        now,
        version,
    )
    return tag.endswith("1")


async def fail(tx: WriteTx, endpoint: Endpoint, due_at: datetime, reason: str) -> None:
    """Note that a call failed, and when the next one may be made; not where its owner has changed it meanwhile."""
    await tx.run(
        "UPDATE endpoint SET failures = $2, due_at = $3, leased_until = NULL, reason = $4"
        " WHERE subscription_id = $1 AND version = $5",
        endpoint.subscription_id,
        endpoint.failures + 1,
        due_at,
        reason,
        endpoint.version,
    )


async def succeed(tx: WriteTx, subscription_id: UUID, now: datetime) -> None:
    """Note that a call succeeded: what waits goes at once."""
    await tx.run(
        "UPDATE endpoint SET failures = 0, due_at = $2, reason = '', succeeded_at = $2 WHERE subscription_id = $1",
        subscription_id,
        now,
    )


async def list_of(tx: ReadTx, client_id: str | None) -> list[EndpointRow]:
    """A partner's endpoints with their counts, or everybody's."""
    return [
        EndpointRow(
            endpoint=_endpoint({key: row[key] for key in set(row.keys()) - _MORE}),
            **{key: row[key] for key in _MORE},
        )
        for row in await tx.fetch(_LIST, client_id)
    ]


_MORE: Final = {"changed_at", "succeeded_at", "waiting", "failed"}


def _endpoint(row: asyncpg.Record | dict[str, object]) -> Endpoint:
    found = dict(row)
    return Endpoint(**{**found, "status": SubscriptionStatus(found["status"])})
