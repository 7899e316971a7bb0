"""The log of looks: who was told or shown what about whom; committed before the answer leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.grid.domain.looks import HIDDEN, Seen
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What somebody is told or shown, or is refused.

    Attributes:
        subject: None where the log was read, or a photo asked for that nobody sent.
        shown: False where it was refused.
    """

    what: Seen
    subject: UUID | None
    visit_id: UUID | None = None
    case_id: UUID | None = None
    request_id: UUID | None = None
    shown: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows an auditor wants to see; None leaves a side open."""

    client_id: str | None = None
    user: str | None = None
    what: Seen | None = None
    subject: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def note(
    tx: WriteTx, told: Sequence[Reading], *, who: tuple[str, str, str], worker_id: str | None = None, at: datetime
) -> None:
    """Note what somebody is about to be told.

    Args:
        tx: the transaction.
        told: what about whom.
        who: client, person, role.
        worker_id: for whom a back end asked.
        at: instant.
    """
    if not told:
        return
    await tx.run(
        'INSERT INTO readings (at, client_id, "user", role, worker_id, what, subject, visit_id, case_id, request_id, '
        "shown) SELECT $1, $2, $3, $4, $5, each.* "
        "FROM unnest($6::text[], $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::bool[]) each",
        at,
        *who,
        worker_id,
        [each.what.value for each in told],
        [each.subject for each in told],
        [each.visit_id for each in told],
        [each.case_id for each in told],
        [each.request_id for each in told],
        [each.shown for each in told],
    )


async def page(tx: ReadTx, wanted: Wanted, *, after: int, limit: int) -> list[asyncpg.Record]:
    """Rows of the log, in the order in which they were written."""
    return await tx.fetch(
        'SELECT seq, at, client_id, "user", role, worker_id, what, subject, visit_id, case_id, request_id, shown '
        "FROM readings WHERE seq > $1 AND ($2::text IS NULL OR client_id = $2) "
        'AND ($3::text IS NULL OR "user" = $3) AND ($4::text IS NULL OR what = $4) '
        "AND ($5::uuid IS NULL OR subject = $5) AND ($6::timestamptz IS NULL OR at >= $6) "
        "AND ($7::timestamptz IS NULL OR at < $7) ORDER BY seq LIMIT $8",
        after,
        wanted.client_id,
        wanted.user,
        wanted.what,
        wanted.subject,
        wanted.since,
        wanted.until,
        limit,
    )


async def of_person(tx: ReadTx, subject: UUID, *, before: datetime | None, limit: int) -> list[asyncpg.Record]:
    """Looks at a person that he is told of, newest first; what was written at one moment is never torn apart."""
    return await tx.fetch(
        "SELECT at, role, worker_id IS NOT NULL AS for_member, what, shown FROM readings "
        "WHERE subject = $1 AND what <> ALL($4) AND ($2::timestamptz IS NULL OR at < $2) "
        "ORDER BY at DESC FETCH FIRST $3 ROWS WITH TIES",
        subject,
        before,
        limit,
        [each.value for each in HIDDEN],
    )
