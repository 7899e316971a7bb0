"""Partners' events keep the trace they came with."""

from alembic import op

revision = "notify_0007"
down_revision = "notify_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE notify.partner_event ADD COLUMN traceparent text")
    op.execute("COMMENT ON COLUMN notify.partner_event.traceparent IS 'of what it came from; posts go on with it'")


def downgrade() -> None:
    op.execute("ALTER TABLE notify.partner_event DROP COLUMN traceparent")
