"""Which months of a lifted stop are due to nobody, from which on they wait, and what of its arrears had come back."""

from alembic import op

revision = "recognition_0045"
down_revision = "recognition_0044"
branch_labels = None
depends_on = None
_COLUMNS = {
    "not_due": ("DATE[] DEFAULT '{}' NOT NULL", "months from owed_from on that are due to nobody: of a term, or a job"),
    "waits_from": ("DATE", "first month that waits for something else that people found"),
    "refunded_fen": ("BIGINT DEFAULT 0 NOT NULL", "of arrears_fen, what had come back of overpayments let go by it"),
}


def upgrade() -> None:
    """The version before reads none of it: what it withholds waits from the first month of its stop."""
    for column, (kind, comment) in _COLUMNS.items():
        op.execute(f"ALTER TABLE recognition.arrears ADD COLUMN {column} {kind}")
        op.execute(f"COMMENT ON COLUMN recognition.arrears.{column} IS '{comment}'")


def downgrade() -> None:
    for column in _COLUMNS:
        op.execute(f"ALTER TABLE recognition.arrears DROP COLUMN {column}")
