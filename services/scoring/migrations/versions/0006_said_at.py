"""When a shard said its newest word, so that no later one seems older, whatever became of the clock."""

from alembic import op

revision = "scoring_0006"
down_revision = "scoring_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before runs on beside it: it says what it says by its clock, and reads no such column."""
    op.execute("ALTER TABLE scoring.shard_head ADD COLUMN said_at TIMESTAMPTZ")
    op.execute("COMMENT ON COLUMN scoring.shard_head.said_at IS 'instant of its newest word, never moved back'")


def downgrade() -> None:
    """Words are ordered by the clock alone again."""
    op.execute("ALTER TABLE scoring.shard_head DROP COLUMN said_at")
