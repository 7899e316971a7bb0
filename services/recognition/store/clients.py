"""Clients of the token issuer and the assertions they have used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.kit.db import Database, ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A caller the issuer knows."""

    client_id: str
    role: str
    department: str | None
    scopes: tuple[str, ...]
    programs: tuple[str, ...]
    divisions: tuple[str, ...]
    jwks: dict[str, Any]
    certificates: tuple[str, ...] = ()


async def save_clients(tx: WriteTx, clients: Sequence[Client]) -> None:
    """Make the table equal the list; who is no longer listed gets no token any more."""
    for client in clients:
        await tx.run(
            "INSERT INTO client (client_id, role, department, scopes, programs, divisions, jwks, certificates, listed) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, true) ON CONFLICT (client_id) DO UPDATE SET "
            "role = excluded.role, department = excluded.department, scopes = excluded.scopes, "
            "programs = excluded.programs, divisions = excluded.divisions, jwks = excluded.jwks, "
            "certificates = excluded.certificates, listed = true, updated_at = now()",
            client.client_id,
            client.role,
            client.department,
            list(client.scopes),
            list(client.programs),
            list(client.divisions),
            orjson.dumps(client.jwks).decode(),
            list(client.certificates),
        )
    await tx.run(
        "UPDATE client SET listed = false WHERE listed AND client_id <> ALL ($1)", [each.client_id for each in clients]
    )


async def note_partner(database: Database, client_id: str, department: str | None, programs: Sequence[str]) -> None:
    """Keep a partner as its token describes it; it has no keys here, for its tokens come from elsewhere."""
    await database.at_once(
        "INSERT INTO client (client_id, role, department, scopes, programs, divisions, jwks, listed) "
        "VALUES ($1, 'partner', $2, '{}', $3, '{}', '{}', true) ON CONFLICT (client_id) DO UPDATE SET "
        "role = excluded.role, department = excluded.department, programs = excluded.programs, listed = true, "
        "updated_at = now()",
        client_id,
        department,
        list(programs),
    )


async def find_client(tx: ReadTx, client_id: str) -> Client | None:
    """A client that may ask for tokens."""
    rows = await tx.fetch(
        "SELECT client_id, role, department, scopes, programs, divisions, certificates, jwks::text AS jwks FROM client "
        "WHERE client_id = $1 AND listed",
        client_id,
    )
    if not rows:
        return None
    row = rows[0]
    lists = {name: tuple(row[name]) for name in ("scopes", "programs", "divisions", "certificates")}
    return Client(**{**row, **lists, "jwks": orjson.loads(row["jwks"])})


async def use_assertion(tx: WriteTx, client_id: str, jti: str, expires_at: datetime, now: datetime) -> bool:
    """Take an assertion; False when it was used before. Ended ones are forgotten on the way."""
    await tx.run("DELETE FROM assertion WHERE expires_at < $1", now)
    tag = await tx.run(
        "INSERT INTO assertion (client_id, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        client_id,
        jti,
        expires_at,
    )
    return tag.endswith("1")
