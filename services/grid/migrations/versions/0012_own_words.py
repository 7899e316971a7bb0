"""What people write when they ask to stop a benefit is sealed: it names those it is about."""

from alembic import op

revision = "grid_0012"
down_revision = "grid_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before reads on beside it: a code where there were words."""
    op.execute("ALTER TABLE grid.stop_requests ADD COLUMN sealed_reason BYTEA")
    op.execute(
        "COMMENT ON COLUMN grid.stop_requests.sealed_reason IS 'AES-GCM of what somebody wrote, bound to the request'"
    )
    op.execute("COMMENT ON COLUMN grid.stop_requests.reason IS 'a code; what people wrote stands in sealed_reason'")


def downgrade() -> None:
    op.execute("COMMENT ON COLUMN grid.stop_requests.reason IS NULL")
    op.execute("ALTER TABLE grid.stop_requests DROP COLUMN sealed_reason")
