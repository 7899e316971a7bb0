"""Which deadline of a case was told as passed."""

from alembic import op

revision = "grid_0007"
down_revision = "grid_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE grid.cases ADD COLUMN told_deadline_on DATE")
    op.execute("COMMENT ON COLUMN grid.cases.told_deadline_on IS 'deadline whose passing was told last'")


def downgrade() -> None:
    op.execute("ALTER TABLE grid.cases DROP COLUMN told_deadline_on")
