"""Who was released after his conviction stays convicted, as who was released from prison does (0038)."""

from typing import Final

from alembic import op

revision = "recognition_0043"
down_revision = "recognition_0042"
branch_labels = None
depends_on = None

# A stop for a detention never hid the punishment.
STAYS: Final = """
UPDATE recognition.clearing c SET reasons = array_remove(c.reasons, 'criminal_punishment')
WHERE NOT c.lives AND 'criminal_punishment' = ANY (c.reasons) AND EXISTS (
    SELECT FROM recognition.arrears a JOIN recognition.decision d ON d.decision_id = a.decision_id
    WHERE a.subject = c.subject AND a.reason = 'detained_convicted' AND d.reason <> 'detention'
        AND (d.event_on IS NULL OR d.event_on <= c.until_on)
)
"""


def upgrade() -> None:
    op.execute(STAYS)


def downgrade() -> None:
    """There is nothing to take back: the version before asks once more about whom it would have left alone."""
