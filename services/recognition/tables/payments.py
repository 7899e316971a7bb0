"""What programs said they have paid."""

import sqlalchemy as sa

from services.recognition.tables.base import INSTANT, METADATA, UUID

PAYMENT = sa.Table(
    "payment",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("month", sa.Date, primary_key=True, comment="first day of the month it was paid for"),
    sa.Column("payrun_id", UUID, primary_key=True, comment="list it was paid with"),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("paid_on", sa.Date, nullable=False, comment="day of the transfer, as the program confirmed it"),
    sa.Column("recorded_at", INSTANT, nullable=False, comment="business time of the confirmation"),
    sa.CheckConstraint("amount_fen > 0", name="amount"),
    sa.CheckConstraint("extract(day FROM month) = 1", name="month"),
    sa.Index("ix_payment_program_month", "program", "month"),
    postgresql_partition_by="RANGE (month)",
    comment="Payments a program confirmed, one a person, month and list; several lists may pay one month",
)
