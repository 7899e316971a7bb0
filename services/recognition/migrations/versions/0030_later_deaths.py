"""A lifted stop speaks of the deaths found before it was found false, as every retraction does, and of no later one."""

from alembic import op

revision = "recognition_0030"
down_revision = "recognition_0029"
branch_labels = None
depends_on = None

_CLEARED = """
CREATE OR REPLACE FUNCTION recognition.cleared_at(of_subject uuid, of_reason text) RETURNS timestamp with time zone
LANGUAGE sql STABLE AS $$
    SELECT max(at) FROM (
        SELECT f.concluded_at AS at FROM recognition.finding f
        WHERE f.subject = of_subject AND f.conclusion IN ('unfounded', 'false_death')
            AND recognition.finds(f.kind, of_reason)
        UNION ALL
        SELECT s.cleared_at FROM recognition.standing s
        WHERE s.subject = of_subject AND NOT EXISTS (
            SELECT FROM recognition.finding f
            WHERE f.subject = s.subject AND f.concluded_at = s.cleared_at
                AND f.conclusion IN ('unfounded', 'false_death')
        )
        {lifted}
        UNION ALL
        SELECT s.alive_at FROM recognition.standing s
        WHERE s.subject = of_subject AND of_reason IN ('death', 'declared_dead', 'household_extinct')
    ) cleared
$$
"""
_LIFTED = """
        UNION ALL
        SELECT d.lifted_at FROM recognition.decision d
        WHERE d.subject = of_subject AND d.state = 'lifted' AND d.reason IN ('death', 'declared_dead')
            AND of_reason IN ('death', 'declared_dead')
"""


def upgrade() -> None:
    """The version before notes in alive_at what it lifts, as this one does."""
    op.execute("""
        INSERT INTO recognition.standing (subject, alive_at)
        SELECT subject, max(lifted_at) FROM recognition.decision
        WHERE state = 'lifted' AND reason IN ('death', 'declared_dead') AND lifted_at IS NOT NULL GROUP BY subject
        ON CONFLICT (subject) DO UPDATE SET alive_at = GREATEST(standing.alive_at, excluded.alive_at)
    """)
    op.execute(_CLEARED.format(lifted=""))


def downgrade() -> None:
    op.execute(_CLEARED.format(lifted=_LIFTED))
