"""People may ask for another language."""

from alembic import op

revision = "notify_0008"
down_revision = "notify_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE notify.preference ADD COLUMN language text NOT NULL DEFAULT 'zh-CN'")
    op.execute("COMMENT ON COLUMN notify.preference.language IS 'by its tag'")


def downgrade() -> None:
    op.execute("ALTER TABLE notify.preference DROP COLUMN language")
