"""What waits for an officer, over everything he has to do with, the most urgent first."""

from collections.abc import Sequence
from datetime import date

import asyncpg

from shared.kit.db import ReadTx

# Every branch: kind, id, subject, program, reason, since (instant), due_on (day or null), by (who may not do it alone).
_WAITING = """
SELECT 'decide' AS kind, proposal_id AS id, subject, program, reason, opened_at AS since, NULL::date AS due_on,
       NULL AS not_by
FROM proposal WHERE state = 'open' AND program = ANY ($1)
UNION ALL
SELECT 'confirm', proposal_id, subject, program, reason, decided_at, NULL, decided_by
FROM proposal WHERE state = 'decided' AND program = ANY ($1)
UNION ALL
SELECT CASE WHEN (SELECT count(DISTINCT p.channel) FROM notice n JOIN proof_of_notice p ON p.notice_id = n.notice_id
                  WHERE n.decision_id = d.decision_id AND n.kind = 'intended_stop') >= $3
            THEN 'carry_out' ELSE 'not_told' END,
       decision_id, subject, program, reason, confirmed_at, notice_until + 1, NULL
FROM decision d WHERE state = 'notice' AND notice_until < $2 AND program = ANY ($1)
UNION ALL
SELECT 'withdraw', d.decision_id, d.subject, d.program, d.reason, c.at, NULL, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id
    AND (p.origin IN ('case', 'report') OR p.origin = 'stop_request' AND p.reason <> 'own_request')
CROSS JOIN LATERAL (SELECT cleared_at(d.subject, d.reason) AS at OFFSET 0) c
WHERE c.at > d.confirmed_at AND d.state = 'notice' AND d.program = ANY ($1)
UNION ALL
SELECT 'reinstate', d.decision_id, d.subject, d.program, d.reason, c.at, NULL, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id
    AND (p.origin IN ('case', 'report') OR p.origin = 'stop_request' AND p.reason <> 'own_request')
CROSS JOIN LATERAL (SELECT cleared_at(d.subject, d.reason) AS at OFFSET 0) c
WHERE c.at > d.confirmed_at AND d.state = 'effective' AND d.effect IN ('suspend', 'terminate') AND d.program = ANY ($1)
UNION ALL
SELECT 'resume', d.decision_id, d.subject, d.program, d.reason, c.issued_on::timestamptz, NULL, NULL
FROM decision d CROSS JOIN LATERAL (
    SELECT c.issued_on FROM holding h
    JOIN certificate c ON c.subject = h.subject AND c.certificate_id = h.certificate_id
    WHERE h.subject = d.subject AND h.claim = 'alive' AND c.issued_on >= d.effective_at::date
    ORDER BY c.issued_on LIMIT 1
) c
WHERE d.state = 'effective' AND d.effect = 'suspend' AND d.reason = 'overdue' AND d.program = ANY ($1)
UNION ALL
SELECT 'answer_' || o.stage, o.objection_id, o.subject, o.program, o.about, o.received_at, o.due_on, NULL
FROM objection o WHERE o.state = 'received' AND o.program = ANY ($1)
UNION ALL
SELECT 'ask_refund', overpayment_id, subject, program, 'overpayment', opened_at, NULL, NULL
FROM overpayment WHERE state = 'calculated' AND program = ANY ($1)
UNION ALL
SELECT 'refund_overdue', overpayment_id, subject, program, 'overpayment', opened_at, refund_due_on + 1, NULL
FROM overpayment WHERE state = 'notified' AND refund_due_on < $2 AND program = ANY ($1)
UNION ALL
SELECT 'approve_' || r.kind, r.recovery_id, o.subject, o.program, 'overpayment', r.asked_at, NULL, r.asked_by
FROM recovery r JOIN overpayment o ON o.overpayment_id = r.overpayment_id
WHERE r.state = 'proposed' AND o.program = ANY ($1)
"""

_LIST = f"""
SELECT * FROM ({_WAITING}) w WHERE not_by IS DISTINCT FROM $4
ORDER BY due_on NULLS LAST, since, id LIMIT $5
"""  # noqa: S608  (our own text)

_COUNT = f"SELECT kind, count(*) AS items FROM ({_WAITING}) w GROUP BY kind ORDER BY kind"  # noqa: S608


_BY_PROGRAM = f"""
SELECT program, kind, count(*) AS items, min(due_on) AS earliest_on FROM ({_WAITING}) w
GROUP BY program, kind ORDER BY program, kind
"""  # noqa: S608  (our own text)


async def list_waiting(
    tx: ReadTx, programs: Sequence[str], *, today: date, channels: int, user: str, limit: int
) -> list[asyncpg.Record]:
    """What waits in these programs: what has a deadline first, then the oldest.

    What needs another person than `user` is left out for him; `channels` is on how many a notice must have been tried.
    """
    return await tx.fetch(_LIST, list(programs), today, channels, user, limit)


async def count_waiting(tx: ReadTx, programs: Sequence[str], *, today: date, channels: int) -> dict[str, int]:
    """How much waits, by kind."""
    rows = await tx.fetch(_COUNT, list(programs), today, channels)
    return {row["kind"]: row["items"] for row in rows}


async def count_by_program(tx: ReadTx, programs: Sequence[str], *, today: date, channels: int) -> list[asyncpg.Record]:
    """How much waits, by program and kind, with the nearest deadline of each."""
    return await tx.fetch(_BY_PROGRAM, list(programs), today, channels)
