"""Who was released stays convicted: what his release left behind hides no punishment from later rosters any more."""

from alembic import op

revision = "recognition_0038"
down_revision = "recognition_0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before keeps such a clearing with each release; none is looked for twice."""
    op.execute("""
        UPDATE recognition.clearing c SET reasons = array_remove(c.reasons, 'criminal_punishment')
        WHERE NOT c.lives AND 'criminal_punishment' = ANY (c.reasons) AND EXISTS (
            SELECT FROM recognition.arrears a JOIN recognition.decision d ON d.decision_id = a.decision_id
            WHERE a.subject = c.subject AND a.reason = 'imprisonment'
                AND (d.event_on IS NULL OR d.event_on <= c.until_on)
        )
    """)


def downgrade() -> None:
    """There is nothing to take back: the version before asks once more about whom it would have left alone."""
