"""What people asked for: a visit at home, the stop of a benefit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.origins import RequestKind
from services.recognition.store.records import insert
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenRequest:
    """Something a person asked for.

    Attributes:
        asked_by: who asks.
        subject: about whom; the same person, or a relative.
        confirmed: what people concluded; None while they look.
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
    concluded_at: datetime | None
    confirmed: bool | None


_COLUMNS = ", ".join(CitizenRequest.__dataclass_fields__)


def _request(row: asyncpg.Record) -> CitizenRequest:
    return CitizenRequest(**{**row, "kind": RequestKind(row["kind"])})


async def add_request(tx: WriteTx, request: CitizenRequest) -> None:
    """Keep a request."""
    await insert(tx, "citizen_request", request)


async def find_recent(
    tx: ReadTx, asked_by: UUID, subject: UUID, kind: RequestKind, since: datetime
) -> CitizenRequest | None:
    """The latest request of this kind somebody made since an instant and nobody has concluded."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM citizen_request WHERE asked_by = $1 AND subject = $2 AND kind = $3 "  # noqa: S608
        "AND requested_at >= $4 AND concluded_at IS NULL ORDER BY requested_at DESC LIMIT 1",
        asked_by,
        subject,
        kind,
        since,
    )
    return _request(rows[0]) if rows else None


async def list_requests(tx: ReadTx, asked_by: UUID) -> list[CitizenRequest]:
    """What a person asked for, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM citizen_request WHERE asked_by = $1 ORDER BY requested_at DESC LIMIT 100",  # noqa: S608
        asked_by,
    )
    return [_request(row) for row in rows]


async def conclude(tx: WriteTx, request_id: UUID, *, confirmed: bool, at: datetime) -> None:
    """Note what people concluded; a request that was made elsewhere is none of this table."""
    await tx.run(
        "UPDATE citizen_request SET concluded_at = $2, confirmed = $3 WHERE request_id = $1", request_id, at, confirmed
    )
