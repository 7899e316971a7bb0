"""Since when a benefit is paid without a break: a roster that only names it once more says nothing of that."""

from alembic import op

revision = "grid_0021"
down_revision = "grid_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where it was heard before this was kept: the day of the roster counts."""
    op.execute("ALTER TABLE grid.recipients ADD COLUMN active_since TIMESTAMP WITH TIME ZONE")
    op.execute(
        "COMMENT ON COLUMN grid.recipients.active_since IS "
        "'of the roster or the decision since which it is paid without a break'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE grid.recipients DROP COLUMN active_since")
