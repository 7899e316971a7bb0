"""Tables of what is done once a day, and of who was told what about whom."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.grid.domain.looks import Seen
from services.grid.tables.base import AT, METADATA, one_of

ROUNDS = sa.Table(
    "rounds",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True, comment="business day whose round has been gone"),
)

WORKDAYS = sa.Table(
    "workdays",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("planned_at", AT, nullable=False),
    comment="mornings whose work has been told",
)

READINGS = sa.Table(
    "readings",
    METADATA,
    sa.Column("seq", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", AT, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("worker_id", sa.Text, comment="for whom a back end asked"),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column(
        "subject",
        pg.UUID(as_uuid=True),
        comment="null where the log was read, or a photo asked for that nobody sent",
    ),
    sa.Column("visit_id", pg.UUID(as_uuid=True)),
    sa.Column("case_id", pg.UUID(as_uuid=True)),
    sa.Column("request_id", pg.UUID(as_uuid=True)),
    sa.Column("shown", sa.Boolean, nullable=False, server_default=sa.true()),
    one_of("what", Seen),
    sa.Index("ix_readings_subject", "subject"),
    postgresql_partition_by="RANGE (at)",
    comment="who was told or shown what about whom; refusals too",
)
