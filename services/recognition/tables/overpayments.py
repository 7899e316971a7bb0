"""What was paid after a stop, and how it comes back."""

import sqlalchemy as sa

from services.recognition.domain.overpayments import (
    OffsetAgainst,
    OverpaymentState,
    RecoveryKind,
    RecoveryState,
    ReferredTo,
)
from services.recognition.tables.base import INSTANT, METADATA, UUID, one_of

OVERPAYMENT = sa.Table(
    "overpayment",
    METADATA,
    sa.Column("overpayment_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False, index=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("decision_id", UUID, sa.ForeignKey("recognition.decision.decision_id"), nullable=False),
    sa.Column("case_id", UUID),
    sa.Column("stops_from", sa.Date, nullable=False, comment="first month in which nothing was due"),
    sa.Column("state", sa.Text, nullable=False, server_default=OverpaymentState.CALCULATED),
    sa.Column("due_fen", sa.BigInteger, nullable=False),
    sa.Column("paid_fen", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("offset_fen", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("written_off_fen", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("opened_at", INSTANT, nullable=False),
    sa.Column("refund_due_on", sa.Date, comment="day of the refund notice by which it is to come back"),
    sa.Column("referred_to", sa.Text),
    sa.Column("changed_at", INSTANT, nullable=False),
    sa.Column("plan_agreed_at", INSTANT),
    sa.Column("plan_before_fen", sa.BigInteger, comment="what had come back or been given up when the plan was agreed"),
    one_of("state", OverpaymentState),
    one_of("referred_to", ReferredTo),
    sa.CheckConstraint("due_fen > 0 AND paid_fen >= 0 AND offset_fen >= 0 AND written_off_fen >= 0", name="parts"),
    sa.CheckConstraint("paid_fen + offset_fen + written_off_fen <= due_fen", name="sum"),
    sa.CheckConstraint(
        "state = 'cancelled' OR (state = 'closed') = (paid_fen + offset_fen + written_off_fen = due_fen)",
        name="closed",
    ),
    sa.Index(
        "uq_overpayment_decision_id",
        "decision_id",
        unique=True,
        postgresql_where=sa.text("state <> 'cancelled'"),
    ),
    sa.Index(
        "ix_overpayment_open",
        "program",
        "opened_at",
        postgresql_where=sa.text("state NOT IN ('closed', 'cancelled')"),
    ),
    comment="What was paid after a stop, and how much of it has come back",
)

_OF = "recognition.overpayment.overpayment_id"

OVERPAID = sa.Table(
    "overpaid",
    METADATA,
    sa.Column("overpayment_id", UUID, sa.ForeignKey(_OF), primary_key=True),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("payrun_id", UUID, primary_key=True),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("paid_on", sa.Date, nullable=False),
    sa.CheckConstraint("amount_fen > 0", name="amount"),
    comment="The payments an overpayment consists of",
)

RECOVERY = sa.Table(
    "recovery",
    METADATA,
    sa.Column("recovery_id", UUID, primary_key=True),
    sa.Column("overpayment_id", UUID, sa.ForeignKey(_OF), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("happened_on", sa.Date, nullable=False),
    sa.Column("reference", sa.Text, nullable=False, comment="receipt or file number; the same one is booked once"),
    sa.Column("against", sa.Text),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", INSTANT, nullable=False),
    sa.Column("answered_by", sa.Text),
    sa.Column("answered_at", INSTANT),
    sa.UniqueConstraint("overpayment_id", "reference"),
    one_of("kind", RecoveryKind),
    one_of("state", RecoveryState),
    sa.CheckConstraint("amount_fen > 0", name="amount"),
    sa.CheckConstraint(
        "(kind = 'offset') = (against IS NOT NULL) AND against IN ("
        + ", ".join(f"'{each}'" for each in OffsetAgainst)
        + ")",
        name="against",
    ),
    sa.CheckConstraint(
        "kind = 'paid' OR state = 'proposed' OR (answered_by IS NOT NULL AND answered_by <> asked_by)",
        name="four_eyes",
    ),
    comment="What came back, was set off, or given up; the latter two by two officers",
)

INSTALMENT = sa.Table(
    "instalment",
    METADATA,
    sa.Column("overpayment_id", UUID, sa.ForeignKey(_OF), primary_key=True),
    sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.CheckConstraint("amount_fen > 0", name="amount"),
    comment="The plan in force for paying back",
)
