"""Amounts are kept by the month they began: who comes back after years is owed every increase in between."""

from alembic import op

revision = "recognition_0016"
down_revision = "recognition_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before writes no changes; what it knows of the past is the amount of the latest decision."""
    op.execute("""
        CREATE TABLE recognition.enrolment_amount (
            subject UUID NOT NULL,
            program TEXT NOT NULL,
            from_on DATE NOT NULL,
            fen BIGINT NOT NULL,
            CONSTRAINT pk_enrolment_amount PRIMARY KEY (subject, program, from_on)
        )
    """)
    op.execute(
        "COMMENT ON TABLE recognition.enrolment_amount IS "
        "'What an enrolment paid a month before and after each change of it'"
    )
    op.execute(
        "COMMENT ON COLUMN recognition.enrolment_amount.from_on IS "
        "'first month of it; 0001-01-01 before the first change'"
    )
    op.execute("COMMENT ON COLUMN recognition.enrolment_amount.fen IS 'a month'")
    # What changed since a decision that still stands was known by the two amounts alone.
    op.execute("""
        INSERT INTO recognition.enrolment_amount (subject, program, from_on, fen)
        SELECT d.subject, d.program, a.from_on, a.fen
        FROM (SELECT DISTINCT ON (subject, program) * FROM recognition.decision
              WHERE state IN ('notice', 'effective') ORDER BY subject, program, decision_id) d
        JOIN recognition.enrolment e ON e.subject = d.subject AND e.program = d.program
            AND e.amount_fen <> d.amount_fen
        CROSS JOIN LATERAL (VALUES
            (DATE '0001-01-01', d.amount_fen),
            (date_trunc('month', e.received_at AT TIME ZONE 'Asia/Shanghai')::date, e.amount_fen)
        ) a (from_on, fen)
    """)


def downgrade() -> None:
    op.execute("DROP TABLE recognition.enrolment_amount")
