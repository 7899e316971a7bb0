"""What somebody was told of a certificate falls with it; of two ends the one said last is so."""

from alembic import op

revision = "notify_0014"
down_revision = "notify_0013"
branch_labels = None
depends_on = None

_SAID_AT = "when its event was said, where what was said last is so; else null"
_ABOUT = "notice, certificate or event it tells of; null where that is not one thing"
_BEFORE = "notice or event it tells of; null for a merged message"


def upgrade() -> None:
    op.execute("ALTER TABLE notify.message ADD COLUMN said_at timestamptz")
    op.execute(f"COMMENT ON COLUMN notify.message.said_at IS '{_SAID_AT}'")
    op.execute(f"COMMENT ON COLUMN notify.message.about IS '{_ABOUT}'")


def downgrade() -> None:
    op.execute(f"COMMENT ON COLUMN notify.message.about IS '{_BEFORE}'")
    op.execute("ALTER TABLE notify.message DROP COLUMN said_at")
