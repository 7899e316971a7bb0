"""What every table of this service is made with."""

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.kit.db import metadata_for

METADATA = metadata_for("recognition")

INSTANT = sa.DateTime(timezone=True)
UUID = pg.UUID(as_uuid=True)
WORDS = pg.ARRAY(sa.Text)


def one_of(column: str, words: Iterable[StrEnum]) -> sa.CheckConstraint:
    """A column that holds one of these words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)
