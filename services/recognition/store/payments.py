"""Payments programs have confirmed."""

from datetime import date
from uuid import UUID

import pyarrow as pa

from services.recognition.domain.months import next_month
from shared.kit.db import ReadTx, WriteTx

_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS heard_payment (
    subject uuid, program text, month date, payrun_id uuid, amount_fen bigint, paid_on date, recorded_at timestamptz
) ON COMMIT DELETE ROWS
"""


async def prepare_month(tx: WriteTx, month: date) -> None:
    """Make the partition of a month, before its first payment; in a transaction of its own, for it locks the table."""
    await tx.run(
        f"CREATE TABLE IF NOT EXISTS payment_{month:%Y%m} PARTITION OF payment "
        f"FOR VALUES FROM ('{month.isoformat()}') TO ('{next_month(month).isoformat()}')"
    )


async def save_payments(tx: WriteTx, payments: pa.Table) -> None:
    """Keep payments; the same line of the same list twice is kept once."""
    await tx.run(_STAGE)
    await tx.copy("heard_payment", payments)
    names = ", ".join(payments.column_names)
    await tx.run(
        f"INSERT INTO payment ({names}) SELECT {names} FROM heard_payment ON CONFLICT DO NOTHING"  # noqa: S608
    )


async def newest_period(tx: ReadTx, subject: UUID, program: str, *, lists_until: date) -> date | None:
    """The newest period a person was paid for, or that a list was advised for; None without any.

    Args:
        tx: the transaction.
        subject: the person.
        program: the benefit.
        lists_until: later periods are only asked about yet.
    """
    rows = await tx.fetch(
        "SELECT GREATEST((SELECT max(month) FROM payment WHERE subject = $1 AND program = $2), "
        "(SELECT max(month) FROM payrun WHERE program = $2 AND state IN ('advised', 'recording') AND month <= $3)) "
        "AS month",
        subject,
        program,
        lists_until,
    )
    return rows[0]["month"]  # type: ignore[no-any-return]
