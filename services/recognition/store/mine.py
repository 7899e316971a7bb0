"""What a person may see of himself."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.states import DecisionState
from shared.kit.db import ReadTx

_BENEFITS = """
SELECT e.program, e.status, e.amount_fen, e.division,
       COALESCE(s.under_review, false) OR e.decision_owed AS under_review,
       b.until, b.as_of, b.channel, c.evidence_class,
       d.reason, d.effect, d.stops_from, d.notice_until, d.decision_id, d.state = 'notice' AS intended
FROM enrolment e
LEFT JOIN standing s ON s.subject = e.subject
LEFT JOIN LATERAL (
    SELECT h.certificate_id, h.as_of, h.channel, valid_until(
               h.as_of, ($3::int[])[array_position($2::text[], e.program)], NULLIF(h.cap_months, 0)::int) AS until
    FROM holding h WHERE h.subject = e.subject AND h.claim = 'alive' ORDER BY until DESC, h.as_of DESC LIMIT 1
) b ON true
LEFT JOIN certificate c ON c.subject = e.subject AND c.certificate_id = b.certificate_id
LEFT JOIN LATERAL (
    SELECT * FROM decision a WHERE a.subject = e.subject AND a.program = e.program AND (a.decision_id = e.decision_id
        OR a.state = 'notice' AND e.status = 'suspended')
    ORDER BY a.state = 'notice' DESC, a.decision_id DESC LIMIT 1
) d ON true
WHERE e.subject = $1 AND (e.listed OR e.decision_id IS NOT NULL) AND array_position($2::text[], e.program) IS NOT NULL
ORDER BY e.program
"""


async def list_benefits(tx: ReadTx, subject: UUID, codes: Sequence[str], cycles: Sequence[int]) -> list[asyncpg.Record]:
    """A person's benefits with the certificate that counts for each and the stop that was decided, by program.

    Of one whose end is announced while it is suspended, that is the end: it is what can be answered yet.
    """
    return await tx.fetch(_BENEFITS, subject, list(codes), list(cycles))


async def list_looks(tx: ReadTx, subject: UUID, *, before: datetime | None, limit: int) -> list[asyncpg.Record]:
    """Who looked at a person, newest first: organisation, action, program and purpose, never an official.

    The person's own looks are left out. A moment is never torn apart: rows of one transaction share theirs, and a page
    that ended among them would lose the rest.
    """
    return await tx.fetch(
        "SELECT * FROM (SELECT usage_id, logged_at, at, department, action, program, purpose, answer FROM usage "
        "WHERE subject = $1 AND action NOT LIKE 'me.%' AND ($2::timestamptz IS NULL OR logged_at < $2) "
        "ORDER BY logged_at DESC FETCH FIRST $3 ROWS WITH TIES) u ORDER BY logged_at DESC, usage_id DESC",
        subject,
        before,
        limit,
    )


async def is_enrolled(tx: ReadTx, subject: UUID, program: str) -> bool:
    """Whether a benefit is the person's, ended or not."""
    return bool(await tx.fetch("SELECT FROM enrolment WHERE subject = $1 AND program = $2", subject, program))


async def standing_decision(tx: ReadTx, subject: UUID, program: str, first: DecisionState) -> UUID | None:
    """The decision announced or in effect on a benefit: one in the state that counts first, else the newest."""
    rows = await tx.fetch(
        "SELECT decision_id FROM decision WHERE subject = $1 AND program = $2 AND state IN ('notice', 'effective') "
        "ORDER BY state = $3 DESC, decision_id DESC LIMIT 1",
        subject,
        program,
        first,
    )
    return rows[0]["decision_id"] if rows else None
