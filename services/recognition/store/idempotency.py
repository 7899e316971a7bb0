"""Answers kept for an Idempotency-Key."""

from dataclasses import dataclass
from datetime import timedelta

import orjson

from shared.kit.db import WriteTx

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was answered to the first request."""

    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes


async def claim(tx: WriteTx, client_id: str, key: str) -> bool:
    """Hold a key until the end of the transaction; False when another request holds it."""
    rows = await tx.fetch(
        "SELECT pg_try_advisory_xact_lock(hashtext('idempotency'), hashtext($1)) AS held", f"{client_id} {key}"
    )
    return bool(rows[0]["held"])


async def find(tx: WriteTx, client_id: str, key: str) -> Kept | None:
    """What was answered under a key."""
    rows = await tx.fetch(
        "SELECT fingerprint, status, headers::text AS headers, body FROM idempotency "
        "WHERE client_id = $1 AND key = $2 AND kept_at > now() - $3::interval",
        client_id,
        key,
        KEPT,
    )
    return Kept(**{**rows[0], "headers": orjson.loads(rows[0]["headers"])}) if rows else None


async def keep(tx: WriteTx, client_id: str, key: str, kept: Kept) -> None:
    """Keep an answer in the transaction of its effect."""
    await tx.run(
        "INSERT INTO idempotency (client_id, key, fingerprint, status, headers, body) "
        "VALUES ($1, $2, $3, $4, $5::text::jsonb, $6) ON CONFLICT (client_id, key) DO UPDATE SET "
        "fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, "
        "body = excluded.body, kept_at = now()",
        client_id,
        key,
        kept.fingerprint,
        kept.status,
        orjson.dumps(kept.headers).decode(),
        kept.body,
    )


async def forget(tx: WriteTx) -> None:
    """Forget answers nobody may ask for again."""
    await tx.run("DELETE FROM idempotency WHERE kept_at < now() - $1::interval", KEPT)
