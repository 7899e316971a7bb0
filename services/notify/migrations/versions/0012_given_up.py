"""A message that is not true any more is known as such, so that no later try brings it."""

from alembic import op

revision = "notify_0012"
down_revision = "notify_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE notify.message ADD COLUMN given_up boolean DEFAULT false NOT NULL")
    op.execute("COMMENT ON COLUMN notify.message.given_up IS 'true: it is not so any more, and is not brought'")


def downgrade() -> None:
    op.execute("ALTER TABLE notify.message DROP COLUMN given_up")
