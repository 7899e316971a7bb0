"""Whoever asked to stop his own benefit may take that back: nobody need look into it then."""

from alembic import op

revision = "grid_0020"
down_revision = "grid_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE grid.stop_requests ADD COLUMN withdrawn_at TIMESTAMP WITH TIME ZONE")
    op.execute("COMMENT ON COLUMN grid.stop_requests.withdrawn_at IS 'when the person took it back'")


def downgrade() -> None:
    op.execute("ALTER TABLE grid.stop_requests DROP COLUMN withdrawn_at")
