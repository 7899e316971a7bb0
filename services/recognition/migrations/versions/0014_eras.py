"""Seals say since which row the server has counted its transactions; what an endpoint took is run after as well."""

from alembic import op

revision = "recognition_0014"
down_revision = "recognition_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before seals on beside it: all of its rows are of the first count."""
    op.execute("ALTER TABLE recognition.usage_seal ADD COLUMN first_id bigint NOT NULL DEFAULT 0")
    op.execute(
        "COMMENT ON COLUMN recognition.usage_seal.first_id IS "
        "'lowest usage_id since the server began to count its transactions'"
    )
    op.execute("DROP INDEX recognition.ix_handover_open")
    op.execute(
        "CREATE INDEX ix_handover_unanswered ON recognition.handover (due_at) WHERE state IN ('open', 'delivered')"
    )


def downgrade() -> None:
    op.execute("DROP INDEX recognition.ix_handover_unanswered")
    op.execute("CREATE INDEX ix_handover_open ON recognition.handover (due_at) WHERE state = 'open'")
    op.execute("ALTER TABLE recognition.usage_seal DROP COLUMN first_id")
