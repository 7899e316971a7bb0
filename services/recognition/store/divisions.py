"""Where an officer's people live: a token that names divisions leads to those alone."""

from collections.abc import Sequence
from uuid import UUID

from shared.kit.db import ReadTx


async def leads_to(tx: ReadTx, subject: UUID, programs: Sequence[str] | None, divisions: Sequence[str]) -> bool:
    """Whether one of these programs (None: any) lists a person in these divisions; none of them is everywhere."""
    if not divisions:
        return True
    rows = await tx.fetch(
        "SELECT bool_or(in_divisions($1, program, $3)) AS so FROM unnest($2::text[]) AS p (program)",
        subject,
        [None] if programs is None else list(programs),
        list(divisions),
    )
    return bool(rows[0]["so"])
