"""Grace: days in which nobody is stopped for lateness, because the platform itself was late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.recognition.domain.cycles import GraceReason
from services.recognition.store.records import insert
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """A recorded fact: for whom, until when, why, and who says so; None stands for every program, or everybody."""

    grace_id: UUID
    program: str | None
    subject: UUID | None
    from_on: date
    until_on: date
    reason: GraceReason
    said: str
    given_by: str
    given_at: datetime


_COLUMNS = ", ".join(Grace.__dataclass_fields__)


async def add_grace(tx: WriteTx, one: Grace) -> None:
    """Keep a grace."""
    await insert(tx, "grace", one)


async def until(tx: ReadTx, subject: UUID, program: str, today: date) -> date | None:
    """Last day on which lateness stops this person nowhere; None without grace."""
    rows = await tx.fetch("SELECT grace_until($1, $2, $3) AS until", subject, program, today)
    found: date | None = rows[0]["until"]
    return found


async def list_grace(
    tx: ReadTx, programs: Sequence[str] | None, *, divisions: Sequence[str], after: UUID | None, limit: int
) -> list[Grace]:
    """Graces that touch these programs (None: any) and, where they are one person's, these divisions, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM grace "  # noqa: S608  (column names)
        "WHERE ($1::text[] IS NULL OR program IS NULL OR program = ANY ($1)) "
        "AND ($2::uuid IS NULL OR grace_id < $2) AND (subject IS NULL OR in_divisions(subject, NULL, $4)) "
        "ORDER BY grace_id DESC LIMIT $3",
        None if programs is None else list(programs),
        after,
        limit,
        list(divisions),
    )
    return [Grace(**{**row, "reason": GraceReason(row["reason"])}) for row in rows]
