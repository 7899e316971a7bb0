"""Tables of what is done once a day."""

import sqlalchemy as sa

from services.grid.tables.base import AT, METADATA

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
