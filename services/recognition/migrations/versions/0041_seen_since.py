"""When a certificate was made, to the instant: whoever is seen after his death was found is for people to look at."""

from alembic import op

revision = "recognition_0041"
down_revision = "recognition_0040"
branch_labels = None
depends_on = None
_COMMENT = "when it was made, where somebody saw the person; null in rows of before"


def upgrade() -> None:
    """The version before leaves it out; of its rows the end of the day of issue counts."""
    op.execute("ALTER TABLE recognition.certificate ADD COLUMN made_at TIMESTAMP WITH TIME ZONE")
    op.execute(f"COMMENT ON COLUMN recognition.certificate.made_at IS '{_COMMENT}'")


def downgrade() -> None:
    op.execute("ALTER TABLE recognition.certificate DROP COLUMN made_at")
