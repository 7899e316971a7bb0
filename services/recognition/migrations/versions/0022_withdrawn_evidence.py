"""Evidence that was taken back is known to whatever opinion still names it, whichever comes first."""

from alembic import op

revision = "recognition_0022"
down_revision = "recognition_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before knows nothing of it."""
    op.execute("""
        CREATE TABLE recognition.withdrawn_evidence (
            subject UUID NOT NULL,
            evidence_id BIGINT NOT NULL,
            CONSTRAINT pk_withdrawn_evidence PRIMARY KEY (subject, evidence_id)
        )
    """)
    op.execute(
        "COMMENT ON TABLE recognition.withdrawn_evidence IS "
        "'Evidence its department took back: an opinion that still names it certifies nobody'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE recognition.withdrawn_evidence")
