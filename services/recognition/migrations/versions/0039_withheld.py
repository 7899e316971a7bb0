"""What of a lifted stop is owed from when, and what of it waits for something else that people have found."""

from alembic import op

revision = "recognition_0039"
down_revision = "recognition_0038"
branch_labels = None
depends_on = None
_COLUMNS = {
    "owed_from": ("DATE", "first month paid back; null where a version before kept it: by the rule"),
    "passed_on": ("DATE", "day on which its reason ended, as the officer said"),
    "withheld_fen": ("BIGINT DEFAULT 0 NOT NULL", "not paid back while something else that people found waits"),
}


def upgrade() -> None:
    """The version before reads none of it, and leaves out what it wrote before."""
    for column, (kind, comment) in _COLUMNS.items():
        op.execute(f"ALTER TABLE recognition.arrears ADD COLUMN {column} {kind}")
        op.execute(f"COMMENT ON COLUMN recognition.arrears.{column} IS '{comment}'")


def downgrade() -> None:
    for column in _COLUMNS:
        op.execute(f"ALTER TABLE recognition.arrears DROP COLUMN {column}")
