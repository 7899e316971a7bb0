"""No rows for announcements that wait to learn whether there is a phone: they are written when it is missing."""

from alembic import op

revision = "notify_0005"
down_revision = "notify_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM notify.delivery WHERE status = 'waiting' AND reason = 'phone_unknown'")


def downgrade() -> None:
    """Nothing: the version before writes its rows with the next messages."""
