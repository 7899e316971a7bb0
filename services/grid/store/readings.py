"""Who was told whose name, or read what was written about whom; committed before the answer leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What somebody is told: a name with phones, what a member wrote of a visit, what offices wrote in a case."""

    what: Literal["person", "visit", "case"]
    subject: UUID
    visit_id: UUID | None = None
    case_id: UUID | None = None


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
        'INSERT INTO readings (at, client_id, "user", role, worker_id, what, subject, visit_id, case_id) '
        "SELECT $1, $2, $3, $4, $5, each.* FROM unnest($6::text[], $7::uuid[], $8::uuid[], $9::uuid[]) each",
        at,
        *who,
        worker_id,
        [each.what for each in told],
        [each.subject for each in told],
        [each.visit_id for each in told],
        [each.case_id for each in told],
    )
