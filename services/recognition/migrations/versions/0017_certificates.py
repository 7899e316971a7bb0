"""A client may be held to its certificates: without one of them it gets no token."""

from alembic import op

revision = "recognition_0017"
down_revision = "recognition_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before registers clients beside it, held to no certificate."""
    op.execute("ALTER TABLE recognition.client ADD COLUMN certificates text[] NOT NULL DEFAULT '{}'")
    op.execute(
        "COMMENT ON COLUMN recognition.client.certificates IS "
        "'thumbprints (x5t#S256) of which it shows one to get a token; empty: none is asked for'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE recognition.client DROP COLUMN certificates")
