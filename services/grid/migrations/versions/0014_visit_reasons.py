"""Why scoring puts a visit where it is stands with the task, for the office to read."""

from alembic import op

revision = "grid_0014"
down_revision = "grid_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE grid.tasks ADD COLUMN visit_reasons TEXT[]")
    op.execute(
        "COMMENT ON COLUMN grid.tasks.visit_reasons IS 'why scoring puts the visit there; null where it has not said'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE grid.tasks DROP COLUMN visit_reasons")
