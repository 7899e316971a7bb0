"""What told until when a certificate holds that was revoked before that was kept by row is known by row, too."""

from typing import Final

from alembic import op

revision = "notify_0015"
down_revision = "notify_0014"
branch_labels = None
depends_on = None

# Of which certificate a message told had not been kept: nobody is certified any more by what he was told before the
# last revocation and not again since. What else certifies him is told when it is revoked, whichever is heard first.
FALLEN: Final = """
WITH void AS (
    UPDATE notify.message m SET given_up = true
    WHERE m.template = 'certified' AND m.about IS NULL AND NOT m.given_up AND m.created_at < (
        SELECT max(w.created_at) - interval '1 hour' FROM notify.message w
        WHERE w.subject = m.subject AND w.template = 'certificate_revoked' AND NOT EXISTS (
            SELECT FROM notify.message y
            WHERE y.subject = w.subject AND y.template = m.template
              AND y.created_at >= w.created_at - interval '1 hour'))
    RETURNING m.id
)
UPDATE notify.delivery d SET status = 'merged', reason = 'given_up', ended_at = now()
FROM void WHERE d.message_id = void.id
  AND (d.status IN ('queued', 'waiting') OR (d.status = 'handed' AND d.channel IN ('letter', 'loudspeaker')))
"""


def upgrade() -> None:
    op.execute(FALLEN)


def downgrade() -> None:
    """The version before reads the same rows."""
