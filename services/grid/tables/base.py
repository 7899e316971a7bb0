"""What all tables share."""

import sqlalchemy as sa

from shared.kit.db import metadata_for
from shared.kit.inbox import dead_letter_table, inbox_table
from shared.kit.outbox import outbox_table

METADATA = metadata_for("grid")
outbox_table(METADATA)
inbox_table(METADATA)
dead_letter_table(METADATA)

AT = sa.DateTime(timezone=True)


def one_of(column: str, words: type) -> sa.CheckConstraint:
    """The column holds a word of an enumeration."""
    listed = ", ".join(f"'{word.value}'" for word in words)  # type: ignore[attr-defined]  # a StrEnum
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def village(column: str = "division") -> sa.CheckConstraint:
    """The column holds a village's code."""
    return sa.CheckConstraint(rf"{column} ~ '^[0-9]{{12}}$'", name=column)
