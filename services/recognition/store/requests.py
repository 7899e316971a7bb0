"""What people asked for: a visit at home, the stop of a benefit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.origins import RequestKind
from services.recognition.domain.programs import EndingEvent
from services.recognition.store import words
from services.recognition.store.records import insert
from shared.kit.crypto import Vault
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenRequest:
    """Something a person asked for.

    Attributes:
        asked_by: who asks.
        reason: what ends a benefit, or in his own words; those are sealed in the row.
        subject: about whom; the same person, or a relative.
        passed_on_at: when people were asked to look; None while no roster lists the person.
        confirmed: what people concluded; None while they look.
        withdrawn_at: when the person took it back.
    """

    request_id: UUID
    asked_by: UUID
    subject: UUID
    kind: RequestKind
    programs: Sequence[str]
    relation: str
    reason: str
    event_on: date | None
    requested_at: datetime
    passed_on_at: datetime | None
    concluded_at: datetime | None
    confirmed: bool | None
    withdrawn_at: datetime | None = None


REASONS = frozenset(EndingEvent)
_COLUMNS = ", ".join([*CitizenRequest.__dataclass_fields__, "sealed_reason"])


def _request(vault: Vault, row: asyncpg.Record) -> CitizenRequest:
    values = dict(row)
    reason = words.read(vault, row["reason"], values.pop("sealed_reason"), row["request_id"])
    return CitizenRequest(**values | {"kind": RequestKind(row["kind"]), "reason": reason})


async def add_request(tx: WriteTx, vault: Vault, request: CitizenRequest) -> None:
    """Keep a request."""
    sealed = words.sealed(vault, request.reason, request.request_id, REASONS)
    await insert(tx, "citizen_request", request, reason=words.coded(request.reason, REASONS), sealed_reason=sealed)


async def list_recent(
    tx: ReadTx, vault: Vault, asked_by: UUID, subject: UUID, kind: RequestKind, since: datetime
) -> list[CitizenRequest]:
    """Requests of this kind somebody made since an instant and nobody has concluded, the latest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM citizen_request WHERE asked_by = $1 AND subject = $2 AND kind = $3 "  # noqa: S608
        "AND requested_at >= $4 AND concluded_at IS NULL ORDER BY requested_at DESC",
        asked_by,
        subject,
        kind,
        since,
    )
    return [_request(vault, row) for row in rows]


_WAITING = f"""
UPDATE citizen_request r SET passed_on_at = $1
WHERE r.kind = 'stop' AND r.passed_on_at IS NULL AND r.concluded_at IS NULL
    AND EXISTS (SELECT FROM enrolment e WHERE e.subject = r.subject AND e.listed AND e.status <> 'terminated'
                AND (r.programs = '{{}}' OR e.program = ANY (r.programs)))
RETURNING {_COLUMNS}
"""  # noqa: S608  (column names)


async def take_waiting(tx: WriteTx, vault: Vault, at: datetime) -> list[CitizenRequest]:
    """Requests about people no roster listed when they were made, and one does now; noted as passed on."""
    return [_request(vault, row) for row in await tx.fetch(_WAITING, at)]


async def list_requests(tx: ReadTx, vault: Vault, asked_by: UUID) -> list[CitizenRequest]:
    """What a person asked for, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM citizen_request WHERE asked_by = $1 ORDER BY requested_at DESC LIMIT 100",  # noqa: S608
        asked_by,
    )
    return [_request(vault, row) for row in rows]


async def conclude_visits(tx: WriteTx, subject: UUID, at: datetime) -> None:
    """Somebody has come to a person who had asked for it before."""
    await tx.run(
        "UPDATE citizen_request SET concluded_at = $2, confirmed = true WHERE asked_by = $1 AND subject = $1 "
        "AND kind = 'visit' AND concluded_at IS NULL AND requested_at <= $2",
        subject,
        at,
    )


async def find_own(tx: WriteTx, vault: Vault, request_id: UUID, subject: UUID) -> CitizenRequest | None:
    """What a person asked to stop of his own benefits, held until the end."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM citizen_request WHERE request_id = $1 AND asked_by = $2 AND subject = $2 "  # noqa: S608
        "AND kind = 'stop' FOR UPDATE",
        request_id,
        subject,
    )
    return _request(vault, rows[0]) if rows else None


async def withdraw(tx: WriteTx, request_id: UUID, at: datetime) -> None:
    """Note that a person took his request back; what was only proposed by it is closed."""
    await tx.run(
        "UPDATE citizen_request SET withdrawn_at = $2, concluded_at = COALESCE(concluded_at, $2), "
        "confirmed = COALESCE(confirmed, false) WHERE request_id = $1",
        request_id,
        at,
    )
    await tx.run(
        "UPDATE proposal SET state = 'withdrawn', closed_at = $2 WHERE origin = 'stop_request' AND origin_id = $1 "
        "AND reason = 'own_request' AND state IN ('open', 'decided')",
        request_id,
        at,
    )


async def withdrawn_at(tx: ReadTx, request_id: UUID) -> datetime | None:
    """When a request was taken back; None where it was not, or was made elsewhere."""
    rows = await tx.fetch("SELECT withdrawn_at FROM citizen_request WHERE request_id = $1", request_id)
    return rows[0]["withdrawn_at"] if rows else None


async def conclude(
    tx: WriteTx, request_id: UUID, *, confirmed: bool, reason: EndingEvent, event_on: date | None, at: datetime
) -> None:
    """Note what people concluded, and what they read in it; a request made elsewhere is none of this table."""
    await tx.run(
        "UPDATE citizen_request SET concluded_at = $2, confirmed = $3, verified_reason = $4, verified_on = $5 "
        "WHERE request_id = $1 AND withdrawn_at IS NULL",
        request_id,
        at,
        confirmed,
        reason,
        event_on,
    )
