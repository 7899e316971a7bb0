"""Whoever is known to live is stopped for his death nowhere, whatever else is suspected of him."""

from alembic import op

revision = "recognition_0028"
down_revision = "recognition_0027"
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
        UNION ALL
        SELECT d.lifted_at FROM recognition.decision d
        WHERE d.subject = of_subject AND d.state = 'lifted' AND d.reason IN ('death', 'declared_dead')
            AND of_reason IN ('death', 'declared_dead')
        {alive}
    ) cleared
$$
"""
_ALIVE = """
        UNION ALL
        SELECT s.alive_at FROM recognition.standing s
        WHERE s.subject = of_subject AND of_reason IN ('death', 'declared_dead', 'household_extinct')
"""


def upgrade() -> None:
    """The version before never fills the column."""
    op.execute("ALTER TABLE recognition.standing ADD COLUMN alive_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        "COMMENT ON COLUMN recognition.standing.alive_at IS 'when officers last found that a death was none: he lives'"
    )
    op.execute(_CLEARED.format(alive=_ALIVE))


def downgrade() -> None:
    op.execute(_CLEARED.format(alive=""))
    op.execute("ALTER TABLE recognition.standing DROP COLUMN alive_at")
