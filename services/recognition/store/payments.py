"""Payments programs have confirmed."""

from datetime import date

import pyarrow as pa

from services.recognition.domain.months import next_month
from shared.kit.db import WriteTx

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
