"""Fewer index entries a task: a division is a range of grid codes, and old orders are found by their day."""

from alembic import op

revision = "grid_0008"
down_revision = "grid_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX grid.ix_tasks_unordered")
    op.execute("DROP INDEX grid.ix_tasks_division")
    op.execute("DROP INDEX grid.ix_tasks_worker_id")
    op.execute("DROP INDEX grid.ix_tasks_grid_code")
    op.execute("CREATE INDEX ix_tasks_worker_id ON grid.tasks (worker_id)")
    op.execute("CREATE INDEX ix_tasks_grid_code ON grid.tasks (grid_code)")
    op.execute(
        "CREATE INDEX ix_tasks_ordered_on ON grid.tasks (ordered_on) "
        "WHERE state <> 'closed' AND reason IN ('unmatched', 'sample')"
    )


def downgrade() -> None:
    op.execute("DROP INDEX grid.ix_tasks_ordered_on")
    op.execute("DROP INDEX grid.ix_tasks_worker_id")
    op.execute("DROP INDEX grid.ix_tasks_grid_code")
    op.execute("CREATE INDEX ix_tasks_worker_id ON grid.tasks (worker_id, changed_at)")
    op.execute("CREATE INDEX ix_tasks_grid_code ON grid.tasks (grid_code, changed_at)")
    op.execute("CREATE INDEX ix_tasks_division ON grid.tasks (division, task_id) WHERE state <> 'closed'")
    op.execute("CREATE INDEX ix_tasks_unordered ON grid.tasks (subject) WHERE state <> 'closed' AND ordered_on IS NULL")
