"""Proposals: what a confirmed finding means for each program, for a named officer to decide."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuids

from shared.kit.db import ReadTx, WriteTx

_CONFIRMED = """
SELECT f.case_id, f.subject, f.kind, f.event_on, f.concluded_at, e.program
FROM finding f
JOIN enrolment e ON e.subject = f.subject AND e.listed AND e.status IN ('active', 'notice_of_intended_stop')
LEFT JOIN standing s ON s.subject = f.subject
WHERE f.subject = ANY ($1::uuid[]) AND f.conclusion IN ('confirmed', 'confirmed_no_overpayment')
    AND (s.cleared_at IS NULL OR s.cleared_at < f.concluded_at)
    AND NOT EXISTS (SELECT FROM proposal p WHERE p.case_id = f.case_id AND p.program = e.program)
"""


async def list_unproposed(tx: ReadTx, subjects: Sequence[UUID]) -> Sequence[asyncpg.Record]:
    """Confirmed findings on these people for which an enrolment has no proposal yet."""
    return await tx.fetch(_CONFIRMED, list(subjects))


async def subjects_with_findings(tx: ReadTx) -> list[UUID]:
    """People of the roster just taken in on whom people have concluded something; few at most."""
    rows = await tx.fetch("SELECT DISTINCT f.subject FROM finding f JOIN heard_enrolment h ON h.subject = f.subject")
    return [row["subject"] for row in rows]


async def add_proposal(  # noqa: PLR0913  (a proposal has this many parts)
    tx: WriteTx,
    *,
    subject: UUID,
    program: str,
    case_id: UUID | None,
    reason: str,
    effect: str,
    event_on: date | None,
    stops_from: date | None,
    at: datetime,
) -> UUID:
    """Open a proposal."""
    proposal_id = uuids.uuid7()
    await tx.run(
        "INSERT INTO proposal (proposal_id, subject, program, case_id, reason, effect, event_on, stops_from, "
        "opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        proposal_id,
        subject,
        program,
        case_id,
        reason,
        effect,
        event_on,
        stops_from,
        at,
    )
    return proposal_id


async def withdraw_unconfirmed(tx: WriteTx, subject: UUID, at: datetime) -> int:
    """Close what was proposed for a person before `at` and nobody has confirmed."""
    tag = await tx.run(
        "UPDATE proposal SET state = 'withdrawn', closed_at = $2 "
        "WHERE subject = $1 AND state IN ('open', 'decided') AND opened_at <= $2",
        subject,
        at,
    )
    return int(tag.rsplit(" ", 1)[1])
