"""A word on one term, or a release from it, speaks of no term that began before it: clearings have a first day, too."""

from alembic import op

revision = "recognition_0044"
down_revision = "recognition_0043"
branch_labels = None
depends_on = None
_COMMENT = "first day of which it speaks; null: of every day before the last"

_CLEARINGS = """
CREATE OR REPLACE FUNCTION recognition.clearings(of_subject uuid, of_reason text, of_day date, of_instant timestamptz)
RETURNS TABLE (at timestamptz, lives boolean) LANGUAGE sql STABLE AS $$
    SELECT c.at, c.lives FROM (
        SELECT f.concluded_at, false, NULL::date,
               COALESCE(f.until_on, (f.concluded_at AT TIME ZONE 'Asia/Shanghai')::date), NULL::timestamptz
        FROM recognition.finding f
        WHERE f.subject = of_subject AND f.conclusion IN ('unfounded', 'false_death')
            AND (recognition.finds(f.kind, of_reason) OR f.conclusion = 'false_death' AND of_reason = 'missing')
        UNION ALL
        SELECT g.found_at, g.lives, {from_on}, g.until_on, g.about_at FROM recognition.clearing g
        WHERE g.subject = of_subject AND of_reason = ANY (g.reasons)
        UNION ALL
        SELECT s.alive_at, true, NULL, (s.alive_at AT TIME ZONE 'Asia/Shanghai')::date, NULL
        FROM recognition.standing s
        WHERE s.subject = of_subject AND of_reason IN ('death', 'declared_dead', 'household_extinct')
    ) c (at, lives, from_on, until_on, about_at)
    WHERE c.at >= of_instant AND (
        COALESCE(of_day, (of_instant AT TIME ZONE 'Asia/Shanghai')::date)
            BETWEEN COALESCE(c.from_on, '-infinity') AND c.until_on
        OR of_day IS NULL AND of_instant <= c.about_at
    )
$$
"""


def upgrade() -> None:
    """The version before goes on without a first day: what it notes speaks of every day before its last, as it did."""
    op.execute("ALTER TABLE recognition.clearing ADD COLUMN from_on DATE")
    op.execute(f"COMMENT ON COLUMN recognition.clearing.from_on IS '{_COMMENT}'")
    op.execute(_CLEARINGS.format(from_on="g.from_on"))


def downgrade() -> None:
    op.execute(_CLEARINGS.format(from_on="NULL"))
    op.execute("ALTER TABLE recognition.clearing DROP COLUMN from_on")
