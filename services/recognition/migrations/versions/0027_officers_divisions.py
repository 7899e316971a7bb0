"""Officers whose tokens name divisions see the people of those."""

from alembic import op

revision = "recognition_0027"
down_revision = "recognition_0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before does not call it."""
    op.execute("""
        CREATE FUNCTION recognition.in_divisions(of_subject uuid, of_program text, prefixes text[]) RETURNS boolean
        LANGUAGE sql STABLE AS $$
            SELECT cardinality(prefixes) = 0 OR EXISTS (
                SELECT FROM (
                    SELECT division FROM recognition.enrolment
                    WHERE subject = of_subject AND (of_program IS NULL OR program = of_program)
                    UNION ALL
                    SELECT division FROM recognition.second_place
                    WHERE subject = of_subject AND (of_program IS NULL OR program = of_program) AND listed
                ) d, unnest(prefixes) AS p (prefix) WHERE starts_with(d.division, p.prefix)
            )
        $$
    """)
    op.execute(
        "COMMENT ON FUNCTION recognition.in_divisions IS "
        "'Whether a program, or any of them, lists a person in one of these divisions; without any, everywhere'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION recognition.in_divisions")
