"""Who helped at the door, as a keyed hash, and a month of visits by when they happened."""

from alembic import op

revision = "grid_0006"
down_revision = "grid_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE grid.visits ADD COLUMN helper BYTEA")
    op.execute("COMMENT ON COLUMN grid.visits.helper IS 'keyed hash of who helped at the door'")
    op.execute("CREATE INDEX ix_visits_visited_at ON grid.visits (visited_at)")


def downgrade() -> None:
    op.execute("DROP INDEX grid.ix_visits_visited_at")
    op.execute("ALTER TABLE grid.visits DROP COLUMN helper")
