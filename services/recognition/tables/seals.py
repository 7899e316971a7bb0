"""Seals over the usage log."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.tables.base import INSTANT, METADATA

SEAL = sa.Table(
    "usage_seal",
    METADATA,
    sa.Column("seal_no", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_tx", sa.BigInteger, nullable=False, comment="transaction of the last row it covers"),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column(
        "first_id",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="lowest usage_id since the server began to count its transactions",
    ),
    sa.Column("ids", pg.BYTEA, nullable=False, comment="usage_id of each row, int64"),
    sa.Column("marks", pg.BYTEA, nullable=False, comment="keyed, 16 bytes a row"),
    sa.Column("previous", pg.BYTEA, nullable=False),
    sa.Column("chain", pg.BYTEA, nullable=False),
    sa.Column("sealed_at", INSTANT, nullable=False, server_default=sa.func.now()),
    comment="Proof of the usage log: every seal covers the one before it",
)
