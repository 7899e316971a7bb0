"""Contacts by village, for what a village hands out."""

from alembic import op

revision = "notify_0004"
down_revision = "notify_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_contact_division ON notify.contact (division)")


def downgrade() -> None:
    op.execute("DROP INDEX notify.ix_contact_division")
