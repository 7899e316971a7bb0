"""Which deadline of a request or a tip was told as passed; how many sightings a task had, each with its own prompt."""

from alembic import op

revision = "grid_0010"
down_revision = "grid_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("stop_requests", "tips"):
        op.execute(f"ALTER TABLE grid.{table} ADD COLUMN told_deadline_on DATE")
        op.execute(f"COMMENT ON COLUMN grid.{table}.told_deadline_on IS 'deadline whose passing was told last'")
    op.execute("ALTER TABLE grid.tasks ADD COLUMN sightings SMALLINT DEFAULT 0 NOT NULL")
    op.execute("COMMENT ON COLUMN grid.tasks.sightings IS 'reported: each has its prompt'")


def downgrade() -> None:
    op.execute("ALTER TABLE grid.tasks DROP COLUMN sightings")
    for table in ("stop_requests", "tips"):
        op.execute(f"ALTER TABLE grid.{table} DROP COLUMN told_deadline_on")
