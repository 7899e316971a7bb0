"""Overpayments, the payments they consist of, and what has come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recognition.domain.claims import Lines
from services.recognition.domain.overpayments import (
    Balance,
    Instalment,
    OffsetAgainst,
    OverpaymentState,
    RecoveryKind,
    RecoveryState,
    ReferredTo,
)
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


async def copy_lines(tx: WriteTx, known: UUID, another: UUID) -> None:
    """Let another overpayment consist of the same payments."""
    await tx.run(
        "INSERT INTO overpaid (overpayment_id, month, payrun_id, amount_fen, paid_on) "
        "SELECT $2, month, payrun_id, amount_fen, paid_on FROM overpaid WHERE overpayment_id = $1",
        known,
        another,
    )


async def take_lines(tx: WriteTx, overpayment_id: UUID, lines: Lines) -> None:
    """Take parts of payments, or all of them, out of an overpayment."""
    for (month, payrun_id), fen in lines.items():
        which = (overpayment_id, month, payrun_id, fen)
        line = "WHERE overpayment_id = $1 AND month = $2 AND payrun_id = $3 AND amount_fen"
        await tx.run(f"DELETE FROM overpaid {line} <= $4", *which)  # noqa: S608  (our own text)
        await tx.run(f"UPDATE overpaid SET amount_fen = amount_fen - $4 {line} > $4", *which)  # noqa: S608  (so is this)


async def list_claiming(tx: WriteTx, subject: UUID, program: str) -> list[Overpayment]:
    """Overpayments of a benefit that were not cancelled, settled or not, oldest first, held until the end."""
    rows = await tx.fetch(
        f"SELECT {_OVERPAYMENT} FROM overpayment WHERE subject = $1 AND program = $2 AND state <> 'cancelled' "  # noqa: S608
        "ORDER BY overpayment_id FOR UPDATE",
        subject,
        program,
    )
    return [_overpayment(row) for row in rows]


_LET_GO = """
SELECT COALESCE(sum(GREATEST(0, fen)), 0)::bigint AS fen FROM (
    SELECT max(paid_fen + offset_fen) FILTER (WHERE state = 'cancelled')
           - COALESCE(sum(paid_fen + offset_fen) FILTER (WHERE state <> 'cancelled'), 0) AS fen
    FROM overpayment WHERE subject = $1 AND program = $2 GROUP BY decision_id) o
"""


async def let_go_fen(tx: ReadTx, subject: UUID, program: str) -> int:
    """What had come back of claims on a benefit that were cancelled, and counts for no rest of one."""
    return int((await tx.fetch(_LET_GO, subject, program))[0]["fen"])


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
