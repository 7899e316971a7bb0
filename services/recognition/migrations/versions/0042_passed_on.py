"""Until when it was so, of what is given up since it is over: its months are paid to nobody."""

from alembic import op

revision = "recognition_0042"
down_revision = "recognition_0041"
branch_labels = None
depends_on = None
_COMMENT = "day on which it was over, where it was so and was given up for that"


def upgrade() -> None:
    """The version before leaves it out, and pays every month of what is given up."""
    op.execute("ALTER TABLE recognition.proposal ADD COLUMN passed_on DATE")
    op.execute(f"COMMENT ON COLUMN recognition.proposal.passed_on IS '{_COMMENT}'")


def downgrade() -> None:
    op.execute("ALTER TABLE recognition.proposal DROP COLUMN passed_on")
