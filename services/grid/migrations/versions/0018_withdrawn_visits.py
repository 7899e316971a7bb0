"""A report that had counted may stop to: how often, so that each of its conclusions is told apart."""

from alembic import op

revision = "grid_0018"
down_revision = "grid_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE grid.visits ADD COLUMN withdrawn SMALLINT NOT NULL DEFAULT 0")
    op.execute("COMMENT ON COLUMN grid.visits.withdrawn IS 'how often it had counted and does not any more'")


def downgrade() -> None:
    op.execute("ALTER TABLE grid.visits DROP COLUMN withdrawn")
