"""What officers only gave up, or what is over, is proposed to nobody anew, and takes back nothing that stands."""

from alembic import op

revision = "recognition_0037"
down_revision = "recognition_0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before asks clearings() of everything."""
    op.execute("""
        CREATE FUNCTION recognition.refutations(of_subject uuid, of_reason text, of_day date, of_instant timestamptz)
        RETURNS TABLE (at timestamptz) LANGUAGE sql STABLE AS $$
            SELECT c.at FROM recognition.clearings(of_subject, of_reason, of_day, of_instant) c
            WHERE c.lives OR EXISTS (
                SELECT FROM recognition.finding f
                WHERE f.subject = of_subject AND f.concluded_at = c.at AND f.conclusion IN ('unfounded', 'false_death')
            )
        $$
    """)
    op.execute("COMMENT ON FUNCTION recognition.refutations IS 'Those of clearings() by which an event never was'")


def downgrade() -> None:
    op.execute("DROP FUNCTION recognition.refutations")
