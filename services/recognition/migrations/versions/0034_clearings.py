"""What people found not to be so is kept with its reasons and the days it speaks of, and asked by these."""

from alembic import op

revision = "recognition_0034"
down_revision = "recognition_0033"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE recognition.clearing (
    clearing_id UUID NOT NULL,
    subject UUID NOT NULL,
    reasons TEXT[] NOT NULL,
    until_on DATE,
    about_at TIMESTAMP WITH TIME ZONE,
    found_at TIMESTAMP WITH TIME ZONE NOT NULL,
    lives BOOLEAN NOT NULL,
    CONSTRAINT pk_clearing PRIMARY KEY (clearing_id),
    CONSTRAINT ck_clearing_speaks CHECK (num_nonnulls(until_on, about_at) > 0)
)
"""
COMMENTS = {
    "reasons": "which are not so",
    "until_on": "last day of which it speaks",
    "about_at": "when what names no day, and is not so, was found; null where it was dated",
    "found_at": "what was found later stands",
    "lives": "whether officers found that the person lives; else they gave up all they had of these reasons",
}

# Old rows know no day: they speak of all that had been found by then, and of no day after it.
_CLEARINGS = """
CREATE FUNCTION recognition.clearings(of_subject uuid, of_reason text, of_day date, of_instant timestamptz)
RETURNS TABLE (at timestamptz, lives boolean) LANGUAGE sql STABLE AS $$
    SELECT c.at, c.lives FROM (
        SELECT f.concluded_at, false, COALESCE(f.until_on, (f.concluded_at AT TIME ZONE 'Asia/Shanghai')::date),
               NULL::timestamptz
        FROM recognition.finding f
        WHERE f.subject = of_subject AND f.conclusion IN ('unfounded', 'false_death')
            AND (recognition.finds(f.kind, of_reason) OR f.conclusion = 'false_death' AND of_reason = 'missing')
        UNION ALL
        SELECT g.found_at, g.lives, g.until_on, g.about_at FROM recognition.clearing g
        WHERE g.subject = of_subject AND of_reason = ANY (g.reasons)
        UNION ALL
        SELECT s.alive_at, true, (s.alive_at AT TIME ZONE 'Asia/Shanghai')::date, NULL FROM recognition.standing s
        WHERE s.subject = of_subject AND of_reason IN ('death', 'declared_dead', 'household_extinct')
    ) c (at, lives, until_on, about_at)
    WHERE c.at >= of_instant AND (
        COALESCE(of_day, (of_instant AT TIME ZONE 'Asia/Shanghai')::date) <= c.until_on
        OR of_day IS NULL AND of_instant <= c.about_at
    )
$$
"""

# The version before asks by instants; that officers found somebody alive it has to hear from this one, too.
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
        SELECT s.alive_at FROM recognition.standing s
        WHERE s.subject = of_subject AND of_reason IN ('death', 'declared_dead', 'household_extinct')
        {lives}
    ) cleared
$$
"""
_LIVES = """
        UNION ALL
        SELECT g.found_at FROM recognition.clearing g
        WHERE g.subject = of_subject AND of_reason = ANY (g.reasons) AND g.lives
"""


def upgrade() -> None:
    """The version before goes on noting in alive_at whom it finds alive: that counts here, too."""
    op.execute(_TABLE)
    op.execute("CREATE INDEX ix_clearing_subject ON recognition.clearing (subject)")
    op.execute("COMMENT ON TABLE recognition.clearing IS 'What officers found not to be so'")
    for column, comment in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN recognition.clearing.{column} IS '{comment}'")
    op.execute("ALTER TABLE recognition.finding ADD COLUMN until_on DATE")
    op.execute(
        "COMMENT ON COLUMN recognition.finding.until_on IS 'last day of which a conclusion that clears speaks; "
        "null where a version before kept it: all that had been found'"
    )
    op.execute("""
        INSERT INTO recognition.clearing (clearing_id, subject, reasons, until_on, found_at, lives)
        SELECT uuidv7(), subject, '{death,declared_dead,household_extinct}',
               (alive_at AT TIME ZONE 'Asia/Shanghai')::date, alive_at, true
        FROM recognition.standing WHERE alive_at IS NOT NULL
    """)
    op.execute(_CLEARINGS)
    op.execute("COMMENT ON FUNCTION recognition.clearings IS 'What people found that speaks of an event: not so'")
    op.execute(_CLEARED.format(lives=_LIVES))


def downgrade() -> None:
    op.execute(_CLEARED.format(lives=""))
    op.execute("DROP FUNCTION recognition.clearings")
    op.execute("ALTER TABLE recognition.finding DROP COLUMN until_on")
    op.execute("DROP TABLE recognition.clearing")
