"""Where an officer's people live: a token that names divisions leads to those alone."""

from collections.abc import Sequence
from uuid import UUID

from shared.kit.db import ReadTx


async def leads_to(tx: ReadTx, subject: UUID, program: str | None, divisions: Sequence[str]) -> bool:
    """Whether a program (None: any) lists a person in one of these divisions; none of them is everywhere."""
    if not divisions:
        return True
    rows = await tx.fetch("SELECT in_divisions($1, $2, $3) AS so", subject, program, list(divisions))
    return bool(rows[0]["so"])
