"""Since when a program says that a person lives where it does: what it repeats is no news."""

from alembic import op

revision = "grid_0019"
down_revision = "grid_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where it was heard before this was kept: the day of the roster counts."""
    op.execute("ALTER TABLE grid.recipients ADD COLUMN moved_at TIMESTAMP WITH TIME ZONE")
    op.execute("COMMENT ON COLUMN grid.recipients.moved_at IS 'of the roster that first named this address'")


def downgrade() -> None:
    op.execute("ALTER TABLE grid.recipients DROP COLUMN moved_at")
