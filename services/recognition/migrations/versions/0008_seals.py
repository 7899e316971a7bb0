"""Seals over the usage log, whose rows now know their transaction."""

from pathlib import Path

from alembic import op

revision = "recognition_0008"
down_revision = "recognition_0003"


def upgrade() -> None:
    """Rows from before stand in transaction 0; the version before runs on beside it."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())
