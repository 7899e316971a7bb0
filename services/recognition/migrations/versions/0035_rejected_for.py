"""Who rejected a proposal, and why, stays with it."""

from alembic import op

revision = "recognition_0035"
down_revision = "recognition_0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before leaves both empty."""
    op.execute("ALTER TABLE recognition.proposal ADD COLUMN rejected_by TEXT, ADD COLUMN rejected_for TEXT")
    op.execute("COMMENT ON COLUMN recognition.proposal.rejected_for IS 'why, in the words of who rejected it'")


def downgrade() -> None:
    op.execute("ALTER TABLE recognition.proposal DROP COLUMN rejected_for, DROP COLUMN rejected_by")
