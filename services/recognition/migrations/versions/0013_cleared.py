"""What people found untrue is so of its own reason: a case about one thing takes no other thing back."""

from pathlib import Path

from alembic import op

revision = "recognition_0013"
down_revision = "recognition_0012"


def upgrade() -> None:
    """Add two functions; the version before runs on beside them."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())
