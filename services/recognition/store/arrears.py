"""What lifted stops pay back, and what of it waits for something else that people have found."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.arrears import BackPay
from services.recognition.domain.dues import Span
from services.recognition.domain.programs import ArrearsRule, SuspensionReason
from services.recognition.store.decisions import Decided
from services.recognition.store.records import insert
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrears(BackPay):
    """What one lifted stop pays back, and why."""

    decision_id: UUID
    subject: UUID
    program: str
    reason: SuspensionReason
    rule: ArrearsRule
    passed_on: date | None


_ARREARS = ", ".join(Arrears.__dataclass_fields__)
_WAITS = "(waits_from IS NOT NULL OR withheld_fen > 0)"
"""A version before wrote what waits, and not from which month: any of its months may."""


async def add(tx: WriteTx, made: Arrears, *, by: str, at: datetime) -> None:
    """Keep what a lifted stop pays back."""
    await insert(tx, "arrears", made, lifted_by=by, lifted_at=at)


async def benefits_waiting(tx: ReadTx) -> list[tuple[UUID, str]]:
    """Benefits of which months wait, by person."""
    sql = f"SELECT DISTINCT subject, program FROM arrears WHERE {_WAITS} ORDER BY subject, program"  # noqa: S608  (our own text)
    return [(row["subject"], row["program"]) for row in await tx.fetch(sql)]


async def list_waiting(tx: ReadTx, subject: UUID, program: str) -> list[Arrears]:
    """Lifts of a benefit of which months wait, oldest first; from which on is None where a version before kept it."""
    rows = await tx.fetch(
        f"SELECT {_ARREARS} FROM arrears WHERE subject = $1 AND program = $2 AND {_WAITS} "  # noqa: S608  (column names)
        "ORDER BY lifted_at, decision_id DESC",
        subject,
        program,
    )
    words = [{"reason": SuspensionReason(row["reason"]), "rule": ArrearsRule(row["rule"])} for row in rows]
    return [Arrears(**{**row, **word}) for row, word in zip(rows, words, strict=True)]


async def save(tx: WriteTx, made: Arrears) -> None:
    """Write back what changes: what is paid, what waits, and of which months."""
    await tx.run(
        "UPDATE arrears SET paid_again_from = $2, not_due = $3, waits_from = $4, arrears_fen = $5, refunded_fen = $6, "
        "withheld_fen = $7 WHERE decision_id = $1",
        made.decision_id,
        made.paid_again_from,
        made.not_due,
        made.waits_from,
        made.arrears_fen,
        made.refunded_fen,
        made.withheld_fen,
    )


_SETTLED = """
SELECT a.suspended_from AS first, a.paid_again_from AS end FROM arrears a
JOIN arrears own ON own.decision_id = $3
WHERE a.subject = $1 AND a.program = $2 AND a.decision_id <> $3 AND a.paid_again_from > a.suspended_from
    AND (a.lifted_at < own.lifted_at OR a.lifted_at = own.lifted_at AND a.decision_id > own.decision_id)
"""


async def list_settled(tx: ReadTx, lifted: Decided) -> tuple[Span, ...]:
    """Months that lifts of this benefit before this one have settled: paid back, not due, or theirs to pay yet."""
    rows = await tx.fetch(_SETTLED, lifted.subject, lifted.program, lifted.decision_id)
    return tuple(Span(first=row["first"], end=row["end"]) for row in rows)


_SERVED = """
WITH own AS (
    SELECT b.began, CASE a.reason WHEN 'imprisonment' THEN a.passed_on END AS free_on
    FROM proposal p LEFT JOIN decision d USING (proposal_id) LEFT JOIN arrears a USING (decision_id)
    CROSS JOIN LATERAL (SELECT COALESCE(p.event_on, (p.opened_at AT TIME ZONE 'Asia/Shanghai')::date) AS began) b
    WHERE p.subject = $1 AND p.program = $2 AND p.reason IN ('imprisonment', 'detention', 'criminal_punishment')
        AND (p.state = 'rejected' OR d.state <> 'lifted' OR a.decision_id IS NOT NULL
             OR p.state IN ('open', 'decided') AND p.stops_from IS NOT NULL
                 AND p.effect IN ('suspend', 'terminate') AND p.origin IN ('case', 'report', 'stop_request'))
), term AS (
    SELECT d.proposal_id, a.reason AS passed, a.passed_on FROM arrears a JOIN decision d USING (decision_id)
    WHERE a.subject = $1 AND a.reason = ANY ($3)
    UNION ALL
    SELECT proposal_id, 'imprisonment', passed_on FROM proposal WHERE subject = $1 AND reason <> 'employment'
)
SELECT p.reason, b.began, t.passed, t.passed_on FROM term t JOIN proposal p USING (proposal_id)
CROSS JOIN LATERAL (SELECT COALESCE(p.event_on, (p.opened_at AT TIME ZONE 'Asia/Shanghai')::date) AS began) b
WHERE p.program <> $2 AND t.passed_on IS NOT NULL AND NOT EXISTS (
    SELECT FROM own WHERE b.began = own.began OR b.began > own.began AND b.began < own.free_on)
"""


async def list_served(tx: ReadTx, subject: UUID, program: str) -> list[asyncpg.Record]:
    """Terms known to other programs than one, and when each ended: an acquittal makes none of it.

    Without those on which its own officers have the word, as months wait for it, or as they stopped for them or gave
    them up: of the same day, and where they said when the person was free, what began from then until before that day.
    """
    served = [SuspensionReason.IMPRISONMENT, SuspensionReason.DETAINED_CONVICTED]
    return await tx.fetch(_SERVED, subject, program, served)


async def list_passed(tx: ReadTx, subject: UUID, program: str) -> list[asyncpg.Record]:
    """What would have stopped a program and was given up since it was over, from its first month to its last day."""
    return await tx.fetch(
        "SELECT reason, stops_from, passed_on FROM proposal "
        "WHERE subject = $1 AND program = $2 AND passed_on IS NOT NULL AND stops_from IS NOT NULL "
        "AND effect IN ('suspend', 'terminate')",
        subject,
        program,
    )


async def hangs(tx: ReadTx, subject: UUID, program: str) -> bool:
    """Whether months of a benefit wait to be paid back, or may have to be, as it is stopped."""
    rows = await tx.fetch(
        f"SELECT FROM arrears WHERE subject = $1 AND program = $2 AND {_WAITS} UNION ALL "  # noqa: S608  (our own)
        "SELECT FROM decision WHERE subject = $1 AND program = $2 AND state = 'effective' "
        "AND effect IN ('suspend', 'terminate')",
        subject,
        program,
    )
    return bool(rows)
