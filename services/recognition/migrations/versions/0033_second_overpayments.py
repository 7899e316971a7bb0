"""A decision whose overpayment was cancelled may lead to another: what its lift paid back was paid after all."""

from alembic import op

revision = "recognition_0033"
down_revision = "recognition_0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before opens none beside one that was cancelled. The table is small: people whose stop came late."""
    op.execute("""
        -- squawk-ignore ban-drop-constraint
        ALTER TABLE recognition.overpayment DROP CONSTRAINT uq_overpayment_decision_id
    """)
    op.execute("""
        -- squawk-ignore require-concurrent-index-creation
        CREATE UNIQUE INDEX uq_overpayment_decision_id ON recognition.overpayment (decision_id)
        WHERE state <> 'cancelled'
    """)


def downgrade() -> None:
    op.execute("DROP INDEX recognition.uq_overpayment_decision_id")
    op.execute("""
        ALTER TABLE recognition.overpayment ADD CONSTRAINT uq_overpayment_decision_id UNIQUE (decision_id)
    """)
