"""What officers had given up before clearings were kept stays so: no later roster asks for it again."""

from alembic import op

revision = "recognition_0036"
down_revision = "recognition_0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before asks its own columns; what it gives up meanwhile, the next roster may ask for once more."""
    op.execute("""
        INSERT INTO recognition.clearing (clearing_id, subject, reasons, until_on, about_at, found_at, lives)
        SELECT uuidv7(), p.subject, f.reasons, max(p.event_on), max(p.opened_at) FILTER (WHERE p.event_on IS NULL),
               s.cleared_at, false
        FROM recognition.proposal p
        JOIN recognition.standing s ON s.subject = p.subject AND s.cleared_at >= p.opened_at
        LEFT JOIN recognition.decision d ON d.proposal_id = p.proposal_id
        CROSS JOIN LATERAL (SELECT CASE
            WHEN p.reason IN ('death', 'declared_dead', 'household_extinct')
                THEN '{death,declared_dead,household_extinct}'
            WHEN p.reason IN ('imprisonment', 'detention', 'criminal_punishment')
                THEN '{imprisonment,detention,criminal_punishment}'
            ELSE ARRAY[p.reason] END AS reasons) f
        WHERE p.origin IN ('case', 'report') OR p.origin = 'stop_request' AND p.reason <> 'own_request'
        GROUP BY p.subject, f.reasons, s.cleared_at
        HAVING NOT bool_or(p.state IN ('open', 'decided') OR COALESCE(d.state IN ('notice', 'effective'), false))
    """)


def downgrade() -> None:
    op.execute("DELETE FROM recognition.clearing WHERE NOT lives")
