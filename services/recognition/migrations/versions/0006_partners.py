"""What partners are told and answer: events, feed, handovers, subscriptions, corrections."""

from pathlib import Path

from alembic import op

revision = "recognition_0006"
down_revision = "recognition_0004"


def upgrade() -> None:
    """Add the tables; the version before runs on beside them."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())
