"""Callers: clients of the token issuer and the assertions they used."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.tables.base import INSTANT, METADATA, WORDS

CLIENT = sa.Table(
    "client",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("department", sa.Text, comment="slug of the department it belongs to"),
    sa.Column("scopes", WORDS, nullable=False, comment="* stands for every scope"),
    sa.Column("programs", WORDS, nullable=False, comment="* stands for every program"),
    sa.Column("divisions", WORDS, nullable=False, comment="prefixes of division codes; empty or *: everywhere"),
    sa.Column("jwks", pg.JSONB, nullable=False, comment="public keys that sign its assertions"),
    sa.Column(
        "certificates",
        WORDS,
        nullable=False,
        server_default=sa.text("'{}'"),
        comment="thumbprints (x5t#S256) of which it shows one to get a token; empty: none is asked for",
    ),
    sa.Column("listed", sa.Boolean, nullable=False, comment="false: no longer in the clients file, gets no token"),
    sa.Column("updated_at", INSTANT, nullable=False, server_default=sa.func.now()),
    comment="Callers the token issuer knows",
)

ASSERTION = sa.Table(
    "assertion",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("jti", sa.Text, primary_key=True),
    sa.Column("expires_at", INSTANT, nullable=False, index=True),
    comment="Assertions already used: each gives one token",
)
