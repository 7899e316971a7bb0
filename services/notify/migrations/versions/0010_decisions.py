"""The decision a legal notice belongs to, so that one that was given up is not brought any more."""

from alembic import op

revision = "notify_0010"
down_revision = "notify_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE notify.message ADD COLUMN decision_id uuid")
    op.execute(
        "COMMENT ON COLUMN notify.message.decision_id IS "
        "'whose notice it is: what has been given up is not brought any more'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE notify.message DROP COLUMN decision_id")
