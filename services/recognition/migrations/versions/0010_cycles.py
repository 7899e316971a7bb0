"""Tasks grid opened for people a run did not find, grace, and the state of a certification cycle."""

from pathlib import Path

from alembic import op

revision = "recognition_0010"
down_revision = "recognition_0009"


def upgrade() -> None:
    """Add columns, a table and a function; the version before runs on beside them."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())
