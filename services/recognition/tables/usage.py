"""The log of every look at a person."""

import sqlalchemy as sa

from services.recognition.tables.base import INSTANT, METADATA, UUID

USAGE = sa.Table(
    "usage",
    METADATA,
    sa.Column("usage_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("logged_at", INSTANT, primary_key=True, server_default=sa.func.now()),
    sa.Column(
        "tx",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("pg_current_xact_id()::text::bigint"),
        comment="transaction that wrote it: the order of the chain",
    ),
    sa.Column("at", INSTANT, nullable=False, comment="business time"),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("user_ref", sa.Text, nullable=False, comment="person at the other end where the token names one"),
    sa.Column("department", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("program", sa.Text),
    sa.Column("subject", UUID),
    sa.Column("purpose", sa.Text),
    sa.Column("legal_basis", sa.Text),
    sa.Column("case_ref", sa.Text),
    sa.Column("answer", sa.Text, nullable=False, comment="what left: an answer, or denied with its reason"),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Index("ix_usage_tx", "tx", postgresql_using="brin"),
    sa.Index("ix_usage_subject", "subject", "logged_at"),
    postgresql_partition_by="RANGE (logged_at)",
    comment="Every look at a person, written before the answer leaves",
)
