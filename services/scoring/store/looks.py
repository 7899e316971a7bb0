"""The log of looks: who looked at whose assessment, written before the answer leaves."""

from collections.abc import Sequence
from uuid import UUID

import pyarrow as pa

from shared.kit.db import WriteTx
from shared.kit.purpose import Purpose


async def note(tx: WriteTx, subject: UUID, *, client_id: str, user: str, what: str, why: Purpose | None) -> None:
    """Note a look."""
    await tx.run(
        "INSERT INTO look (client_id, looked_by, subject, what, purpose, legal_basis, case_ref)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        client_id,
        user,
        subject,
        what,
        why.code if why else None,
        why.basis if why else None,
        why.case if why else None,
    )


async def note_many(tx: WriteTx, subjects: Sequence[UUID], *, client_id: str, user: str, what: str) -> None:
    """Note a look at many people at once."""
    rows = len(subjects)
    table = pa.table(
        {
            "client_id": pa.array([client_id] * rows),
            "looked_by": pa.array([user] * rows),
            "subject": pa.array([each.bytes for each in subjects], pa.binary(16)),
            "what": pa.array([what] * rows),
        }
    )
    await tx.copy("look", table)
