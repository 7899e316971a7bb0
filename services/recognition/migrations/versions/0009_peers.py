"""Certificates peer departments made, and who revoked a certificate on which grounds."""

from pathlib import Path

from alembic import op

revision = "recognition_0009"
down_revision = "recognition_0008"


def upgrade() -> None:
    """Add the table and two columns; the version before runs on beside them."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())
