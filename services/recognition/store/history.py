"""Everything that was done about one person, for officers and auditors."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.recognition.store.certificates import SUCCESSOR
from shared.kit.db import ReadTx

_PARTS = {
    "enrolments": (
        "SELECT program, status, listed, amount_fen, division, started_on, ended_on, due_on, decision_id "
        "FROM enrolment WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY program"
    ),
    "proposals": (
        "SELECT proposal_id, program, origin, case_id, reason, effect, event_on, stops_from, state, opened_at, "
        "opened_by, decided_by, decided_at, grounds, rejected_by, rejected_for, closed_at FROM proposal "
        "WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY proposal_id"
    ),
    "decisions": (
        "SELECT decision_id, proposal_id, program, reason, effect, event_on, stops_from, amount_fen, grounds, "
        "decided_by, decided_at, confirmed_by, confirmed_at, state, notice_until, effective_at, lifted_at "
        "FROM decision WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY decision_id"
    ),
    "arrears": (
        "SELECT decision_id, program, reason, rule, suspended_from, passed_on, owed_from, paid_again_from, "
        "arrears_fen, withheld_fen, lifted_by, lifted_at FROM arrears "
        "WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY lifted_at"
    ),
    "second_places": (
        "SELECT place_id, program, division, amount_fen, started_on, listed, opened_at, outcome, refunded_fen, "
        "closed_by, closed_at FROM second_place "
        "WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY opened_at, place_id"
    ),
    "payments": (
        "SELECT program, month, payrun_id, amount_fen, paid_on FROM payment "
        "WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY program, month, payrun_id"
    ),
}

_CERTIFICATES = f"""
SELECT c.certificate_id, c.claim, c.as_of, c.channel, c.strength, c.rule_set, c.cap_months, c.issued_on, c.origin,
       c.evidence_ids, r.reason AS revoked_for, r.revoked_at, r.decision_id AS revoked_by_decision, r.revoked_by,
       r.grounds, {SUCCESSOR} AS successor_id, p.department AS made_by, p.method, p.reference
FROM certificate c
LEFT JOIN revocation r ON r.subject = c.subject AND r.certificate_id = c.certificate_id
LEFT JOIN peer_certificate p ON p.subject = c.subject AND p.peer_id = c.origin
WHERE c.subject = $1 ORDER BY c.issued_on, c.as_of, c.certificate_id
"""  # noqa: S608  (our own text)

_FINDINGS = """
SELECT case_id, kind, conclusion, event_on, concluded_at, verified_by, concluded_by, evidence_ids
FROM finding WHERE subject = $1 ORDER BY concluded_at
"""

_LOOKS = """
SELECT at, client_id, user_ref, department, action, program, purpose, legal_basis, case_ref, answer
FROM usage WHERE subject = $1 ORDER BY logged_at DESC, usage_id DESC LIMIT $2
"""

History = dict[str, list[asyncpg.Record]]


async def read_history(tx: ReadTx, subject: UUID, programs: Sequence[str] | None) -> History:
    """What happened to a person in these programs, or in all of them where `programs` is None, oldest first."""
    chosen = None if programs is None else list(programs)
    history = {name: await tx.fetch(sql, subject, chosen) for name, sql in _PARTS.items()}
    history["certificates"] = await tx.fetch(_CERTIFICATES, subject)
    history["findings"] = await tx.fetch(_FINDINGS, subject)
    return history


async def read_looks(tx: ReadTx, subject: UUID, limit: int) -> list[asyncpg.Record]:
    """Who looked at a person, newest first, with names of officials: for auditors only."""
    return await tx.fetch(_LOOKS, subject, limit)


async def knows(tx: ReadTx, subject: UUID, programs: Sequence[str] | None) -> bool:
    """Whether a person is or was enrolled in one of these programs; in any where `programs` is None."""
    rows = await tx.fetch(
        "SELECT FROM enrolment WHERE subject = $1 AND ($2::text[] IS NULL OR program = ANY ($2)) LIMIT 1",
        subject,
        None if programs is None else list(programs),
    )
    return bool(rows)
