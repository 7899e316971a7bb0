"""Corrections asked of a source's department because a case found its record false."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.kit.db import ReadTx, WriteTx


async def add_case_correction(
    tx: WriteTx, *, correction_id: UUID, case_id: UUID, subject: UUID, evidence_ids: Sequence[int], at: datetime
) -> bool:
    """Note a correction; False when this case asked for one before."""
    tag = await tx.run(
        "INSERT INTO case_correction (correction_id, case_id, subject, evidence_ids, requested_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        correction_id,
        case_id,
        subject,
        list(evidence_ids),
        at,
    )
    return tag.endswith("1")


async def evidence_of_case(tx: ReadTx, case_id: UUID) -> list[int]:
    """What the suspicion behind a case rested on."""
    rows = await tx.fetch("SELECT evidence_ids FROM finding WHERE case_id = $1", case_id)
    return list(rows[0]["evidence_ids"]) if rows else []
