"""Overpayments, the payments they consist of, and what has come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recognition.domain.claims import Stop
from services.recognition.domain.overpayments import (
    Balance,
    Instalment,
    OffsetAgainst,
    OverpaymentState,
    RecoveryKind,
    RecoveryState,
    ReferredTo,
)
from services.recognition.store.decisions import Decided
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Overpayment:
    """What was paid after a stop, and where it stands; amounts in fen.

    Attributes:
        plan_before_fen: what had come back or been given up when the plan in force was agreed; None without one, and
            where a version before this one agreed it.
    """

    overpayment_id: UUID
    subject: UUID
    program: str
    decision_id: UUID
    case_id: UUID | None
    stops_from: date
    state: OverpaymentState
    due_fen: int
    paid_fen: int
    offset_fen: int
    written_off_fen: int
    opened_at: datetime
    refund_due_on: date | None
    referred_to: ReferredTo | None
    changed_at: datetime
    plan_agreed_at: datetime | None = None
    plan_before_fen: int | None = None

    @property
    def balance(self) -> Balance:
        """Its amounts."""
        return Balance(due=self.due_fen, paid=self.paid_fen, offset=self.offset_fen, written_off=self.written_off_fen)

    def come_of(self, plan: Sequence[Instalment]) -> int:
        """What has come back or been given up since the plan in force was agreed."""
        balance = self.balance
        before = self.plan_before_fen
        return balance.gone - (balance.due - sum(each.amount_fen for each in plan) if before is None else before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What came back, was set off, or was given up."""

    recovery_id: UUID
    overpayment_id: UUID
    kind: RecoveryKind
    state: RecoveryState
    amount_fen: int
    happened_on: date
    reference: str
    against: OffsetAgainst | None
    asked_by: str
    asked_at: datetime
    answered_by: str | None
    answered_at: datetime | None


_OVERPAYMENT = ", ".join(Overpayment.__dataclass_fields__)
_RECOVERY = ", ".join(Recovery.__dataclass_fields__)


def _overpayment(row: asyncpg.Record) -> Overpayment:
    words = {
        "state": OverpaymentState(row["state"]),
        "referred_to": ReferredTo(row["referred_to"]) if row["referred_to"] else None,
    }
    return Overpayment(**{**row, **words})


def _recovery(row: asyncpg.Record) -> Recovery:
    words = {
        "kind": RecoveryKind(row["kind"]),
        "state": RecoveryState(row["state"]),
        "against": OffsetAgainst(row["against"]) if row["against"] else None,
    }
    return Recovery(**{**row, **words})


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
SELECT d.decision_id, d.subject, d.program, d.stops_from, x.until, x.owed_from, a.lifted_at, e.amount_fen
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


async def add_overpayment(tx: WriteTx, overpayment: Overpayment) -> None:
    """Open an overpayment."""
    values = [getattr(overpayment, name) for name in Overpayment.__dataclass_fields__]
    places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
    await tx.run(f"INSERT INTO overpayment ({_OVERPAYMENT}) VALUES ({places})", *values)  # noqa: S608  (column names)


async def add_lines(tx: WriteTx, overpayment_id: UUID, lines: Sequence[Mapping[str, Any]]) -> None:
    """Note the payments it consists of: month, payrun_id, paid_on, what of each was not due; more of one adds up."""
    await tx.run(
        "INSERT INTO overpaid (overpayment_id, month, payrun_id, amount_fen, paid_on) "
        "SELECT $1, * FROM unnest($2::date[], $3::uuid[], $4::bigint[], $5::date[]) "
        "ON CONFLICT (overpayment_id, month, payrun_id) DO UPDATE SET "
        "amount_fen = overpaid.amount_fen + excluded.amount_fen",
        overpayment_id,
        *([line[name] for line in lines] for name in ("month", "payrun_id", "amount_fen", "paid_on")),
    )


async def find_overpayment(tx: ReadTx, overpayment_id: UUID) -> Overpayment | None:
    """One overpayment; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    sql = f"SELECT {_OVERPAYMENT} FROM overpayment WHERE overpayment_id = $1{hold}"  # noqa: S608  (column names)
    rows = await tx.fetch(sql, overpayment_id)
    return _overpayment(rows[0]) if rows else None


async def find_of_decision(tx: WriteTx, decision_id: UUID) -> Overpayment | None:
    """The overpayment a decision led to, held until the end; one that was cancelled is over."""
    rows = await tx.fetch(
        f"SELECT {_OVERPAYMENT} FROM overpayment WHERE decision_id = $1 AND state <> 'cancelled' FOR UPDATE",  # noqa: S608
        decision_id,
    )
    return _overpayment(rows[0]) if rows else None


async def list_overpayments(
    tx: ReadTx,
    programs: Sequence[str],
    *,
    divisions: Sequence[str],
    state: OverpaymentState | None,
    after: UUID | None,
    limit: int,
) -> list[Overpayment]:
    """Overpayments of these programs and divisions, oldest first, from the one after `after`."""
    rows = await tx.fetch(
        f"SELECT {_OVERPAYMENT} FROM overpayment WHERE program = ANY ($1) AND ($2::text IS NULL OR state = $2) "  # noqa: S608
        "AND ($3::uuid IS NULL OR overpayment_id > $3) AND in_divisions(subject, program, $5) "
        "ORDER BY overpayment_id LIMIT $4",
        list(programs),
        state,
        after,
        limit,
        list(divisions),
    )
    return [_overpayment(row) for row in rows]


async def list_of_person(tx: ReadTx, subject: UUID, programs: Sequence[str] | None = None) -> list[Overpayment]:
    """A person's overpayments, oldest first; of all programs where `programs` is None."""
    rows = await tx.fetch(
        f"SELECT {_OVERPAYMENT} FROM overpayment WHERE subject = $1 "  # noqa: S608  (column names)
        "AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY overpayment_id",
        subject,
        None if programs is None else list(programs),
    )
    return [_overpayment(row) for row in rows]


async def save_overpayment(tx: WriteTx, overpayment: Overpayment) -> None:
    """Write back what changes: state, amounts, deadline, referral."""
    await tx.run(
        "UPDATE overpayment SET state = $2, due_fen = $3, paid_fen = $4, offset_fen = $5, written_off_fen = $6, "
        "refund_due_on = $7, referred_to = $8, changed_at = $9, plan_agreed_at = $10, plan_before_fen = $11 "
        "WHERE overpayment_id = $1",
        overpayment.overpayment_id,
        overpayment.state,
        overpayment.due_fen,
        overpayment.paid_fen,
        overpayment.offset_fen,
        overpayment.written_off_fen,
        overpayment.refund_due_on,
        overpayment.referred_to,
        overpayment.changed_at,
        overpayment.plan_agreed_at,
        overpayment.plan_before_fen,
    )


async def list_lines(tx: ReadTx, overpayment_id: UUID) -> list[asyncpg.Record]:
    """The payments it consists of."""
    return await tx.fetch(
        "SELECT month, payrun_id, amount_fen, paid_on FROM overpaid WHERE overpayment_id = $1 "
        "ORDER BY month, payrun_id",
        overpayment_id,
    )


async def add_recovery(tx: WriteTx, recovery: Recovery) -> bool:
    """Keep a recovery; False when the same receipt or file number is kept already."""
    values = [getattr(recovery, name) for name in Recovery.__dataclass_fields__]
    places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
    tag = await tx.run(
        f"INSERT INTO recovery ({_RECOVERY}) VALUES ({places}) "  # noqa: S608  (column names)
        "ON CONFLICT (overpayment_id, reference) DO NOTHING",
        *values,
    )
    return tag.endswith("1")


async def find_recovery(tx: ReadTx, recovery_id: UUID) -> Recovery | None:
    """One recovery; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(f"SELECT {_RECOVERY} FROM recovery WHERE recovery_id = $1{hold}", recovery_id)  # noqa: S608
    return _recovery(rows[0]) if rows else None


async def find_by_reference(tx: ReadTx, overpayment_id: UUID, reference: str) -> Recovery | None:
    """The recovery of a receipt or file number."""
    rows = await tx.fetch(
        f"SELECT {_RECOVERY} FROM recovery WHERE overpayment_id = $1 AND reference = $2",  # noqa: S608  (column names)
        overpayment_id,
        reference,
    )
    return _recovery(rows[0]) if rows else None


async def list_recoveries(tx: ReadTx, overpayment_id: UUID) -> list[Recovery]:
    """What came back so far, and what is proposed, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_RECOVERY} FROM recovery WHERE overpayment_id = $1 ORDER BY asked_at, recovery_id",  # noqa: S608
        overpayment_id,
    )
    return [_recovery(row) for row in rows]


async def answer_recovery(tx: WriteTx, recovery_id: UUID, state: RecoveryState, *, by: str, at: datetime) -> None:
    """Note what the other officer answered."""
    await tx.run(
        "UPDATE recovery SET state = $2, answered_by = $3, answered_at = $4 WHERE recovery_id = $1",
        recovery_id,
        state,
        by,
        at,
    )


async def replace_plan(tx: WriteTx, overpayment_id: UUID, plan: Sequence[Instalment]) -> None:
    """Make this the plan in force."""
    await tx.run("DELETE FROM instalment WHERE overpayment_id = $1", overpayment_id)
    await tx.run(
        "INSERT INTO instalment (overpayment_id, number, due_on, amount_fen) "
        "SELECT $1, * FROM unnest($2::smallint[], $3::date[], $4::bigint[])",
        overpayment_id,
        *([getattr(part, name) for part in plan] for name in ("number", "due_on", "amount_fen")),
    )


# What has come since the plan was agreed counts for its parts; what was gathered late beside them is no part of it.
_COMING = """
SELECT o.overpayment_id, i.due_on, i.by_then - c.come AS amount_fen
FROM (SELECT overpayment_id, due_on, sum(amount_fen) OVER (plan ORDER BY number)::bigint AS by_then,
             sum(amount_fen) OVER plan::bigint AS whole
      FROM instalment WINDOW plan AS (PARTITION BY overpayment_id)) i
JOIN overpayment o USING (overpayment_id)
CROSS JOIN LATERAL (SELECT GREATEST(0, o.paid_fen + o.offset_fen + o.written_off_fen
                                       - COALESCE(o.plan_before_fen, o.due_fen - i.whole)) AS come) c
WHERE o.state IN ('calculated', 'notified', 'referred') AND i.due_on BETWEEN $1 AND $2 AND i.by_then > c.come
AND NOT EXISTS (
    SELECT FROM notice n WHERE n.overpayment_id = o.overpayment_id AND n.kind = 'instalment_due'
        AND n.deadline_on = i.due_on AND n.given_at >= COALESCE(o.plan_agreed_at, '-infinity'))
ORDER BY i.due_on, o.overpayment_id LIMIT $3
"""


async def list_coming(tx: WriteTx, today: date, until: date, limit: int) -> list[asyncpg.Record]:
    """Instalments due by a day nobody has been told of, and how much of the plan should have come by then.

    Two processes that look at once look one after the other, so that nobody is told twice.
    """
    await tx.fetch("SELECT pg_advisory_xact_lock(hashtext('recognition.instalments'))")
    return await tx.fetch(_COMING, today, until, limit)


async def list_plan(tx: ReadTx, overpayment_id: UUID) -> list[Instalment]:
    """The plan in force; empty without one."""
    rows = await tx.fetch(
        "SELECT number, due_on, amount_fen FROM instalment WHERE overpayment_id = $1 ORDER BY number", overpayment_id
    )
    return [Instalment(**row) for row in rows]
