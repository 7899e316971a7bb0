"""What claims rest on: payments that were confirmed, what stopped a benefit and until when, what is not gathered."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg

from services.recognition.domain.claims import Stop
from services.recognition.store.decisions import Decided
from shared.kit.db import ReadTx

_PAID = """
SELECT p.month, p.payrun_id, p.amount_fen, p.paid_on, p.recorded_at, c.claimed_fen, c.own_fen
FROM payment p CROSS JOIN LATERAL (
    SELECT COALESCE(sum(l.amount_fen), 0)::bigint AS claimed_fen,
           COALESCE(sum(l.amount_fen) FILTER (WHERE o.decision_id = $3), 0)::bigint AS own_fen
    FROM overpaid l JOIN overpayment o USING (overpayment_id)
    WHERE o.subject = p.subject AND o.program = p.program AND o.state <> 'cancelled'
        AND l.month = p.month AND l.payrun_id = p.payrun_id) c
WHERE p.subject = $1 AND p.program = $2 AND p.month > ($4::date - make_interval(months => $5))::date
ORDER BY p.month, p.recorded_at, p.payrun_id
"""


async def list_paid(tx: ReadTx, decided: Decided, months: int) -> list[asyncpg.Record]:
    """Confirmed payments for periods of `months` that reach months from a stop on, by period, oldest first.

    Each with what overpayments claim of it, and what that of this decision does.
    """
    return await tx.fetch(_PAID, decided.subject, decided.program, decided.decision_id, decided.stops_from, months)


# A stop that has ended was one for its months. Those a lift paid back were paid twice by what is confirmed after it,
# the others once too often whenever it is; whom a roster listed anew was lifted by no officer, up to his new entry.
_STOPS = """
SELECT d.decision_id, d.subject, d.program, d.stops_from, x.until, x.owed_from, a.lifted_at,
       COALESCE(a.not_due, '{}') AS not_due, e.amount_fen,
       COALESCE(a.waits_from, CASE WHEN a.withheld_fen > 0 THEN a.owed_from END) AS waits_from
FROM decision d
LEFT JOIN arrears a ON a.decision_id = d.decision_id
LEFT JOIN enrolment e ON e.subject = d.subject AND e.program = d.program
CROSS JOIN LATERAL (SELECT
    CASE d.state WHEN 'lifted' THEN COALESCE(a.paid_again_from, date_trunc('month', e.started_on)::date) END AS until,
    COALESCE(a.owed_from, CASE WHEN a.rule NOT IN ('none', 'refund') THEN a.suspended_from END, a.paid_again_from,
             date_trunc('month', e.started_on)::date) AS owed_from) x
WHERE d.effect IN ('suspend', 'terminate') AND (d.state = 'effective' OR d.state = 'lifted' AND x.until IS NOT NULL)
"""
_STOP = ", ".join(Stop.__dataclass_fields__)

# As `Period.unclaimed` has it: where more of a period is unclaimed than the months that no stop reaches make. Nearly
# everybody stopped within a quarter or a year was paid those, as advised, and is not looked at again.
_LATE = f"""
SELECT DISTINCT unnest(g.decisions) AS decision_id
FROM (
    SELECT s.subject, s.program, p.month, r.months, r.months - count(DISTINCT n.month) AS due,
           min(s.amount_fen) AS amount_fen, array_agg(DISTINCT s.decision_id) AS decisions
    FROM ({_STOPS}) s
    CROSS JOIN LATERAL (SELECT COALESCE(($2::int[])[array_position($1::text[], s.program)], 1) AS months) r
    JOIN payment p ON p.subject = s.subject AND p.program = s.program
        AND p.month > (s.stops_from - make_interval(months => r.months))::date
    CROSS JOIN LATERAL (SELECT (p.month + make_interval(months => i))::date AS month
                        FROM generate_series(0, r.months - 1) i) n
    WHERE n.month >= s.stops_from
        AND n.month < COALESCE(CASE WHEN p.recorded_at <= s.lifted_at THEN s.owed_from ELSE s.until END, 'infinity')
    GROUP BY s.subject, s.program, p.month, p.payrun_id, r.months
) g
CROSS JOIN LATERAL (
    SELECT sum(p.amount_fen) AS fen, max(p.amount_fen) AS most, max(p.paid_on) AS last FROM payment p
    WHERE p.subject = g.subject AND p.program = g.program AND p.month = g.month) y
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(l.amount_fen), 0) AS fen FROM overpaid l JOIN overpayment o USING (overpayment_id)
    WHERE o.subject = g.subject AND o.program = g.program AND o.state <> 'cancelled' AND l.month = g.month) c
CROSS JOIN LATERAL (
    SELECT COALESCE(max(a.fen), g.amount_fen) AS fen FROM enrolment_amount a
    WHERE a.subject = g.subject AND a.program = g.program AND a.from_on <= y.last AND a.from_on >= COALESCE((
        SELECT max(f.from_on) FROM enrolment_amount f
        WHERE f.subject = g.subject AND f.program = g.program AND f.from_on <= g.month), '-infinity')) a
WHERE y.fen - c.fen > GREATEST(g.due * a.fen, ceil(y.most::numeric * g.due / g.months))
ORDER BY decision_id
"""  # noqa: S608  (our own text)


async def list_late(tx: ReadTx, periods: Mapping[str, int]) -> list[UUID]:
    """Decisions after which payments were confirmed that reach months they stopped, and of which more is to be claimed.

    Args:
        tx: the transaction.
        periods: months one payment of a program covers, by code.
    """
    return [row["decision_id"] for row in await tx.fetch(_LATE, list(periods), list(periods.values()))]


async def list_stops(tx: ReadTx, subject: UUID, program: str) -> list[Stop]:
    """What has stopped a benefit, oldest first, also where that has ended."""
    sql = f"SELECT {_STOP} FROM ({_STOPS}) s WHERE subject = $1 AND program = $2 ORDER BY decision_id"  # noqa: S608
    return [Stop(**row) for row in await tx.fetch(sql, subject, program)]
