"""A person whom a program lists at two places waits for an officer, who says what it came to."""

from alembic import op

revision = "recognition_0021"
down_revision = "recognition_0020"
branch_labels = None
depends_on = None

COMMENTS = {
    "division": "village of the second listing, 12 digits",
    "amount_fen": "a month, as the second listing says",
    "listed": "whether the owner''s rosters still say so",
    "received_at": "of the roster; an older one changes nothing",
    "opened_at": "since when it is listed",
    "outcome": "what an officer found; settled unless opened again since",
}


def upgrade() -> None:
    """The version before knows nothing of it."""
    op.execute("""
        CREATE TABLE recognition.second_place (
            place_id UUID NOT NULL,
            subject UUID NOT NULL,
            program TEXT NOT NULL,
            division TEXT NOT NULL,
            amount_fen BIGINT NOT NULL,
            started_on DATE,
            listed BOOLEAN NOT NULL,
            received_at TIMESTAMP WITH TIME ZONE NOT NULL,
            opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
            outcome TEXT,
            refunded_fen BIGINT,
            closed_by TEXT,
            closed_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_second_place PRIMARY KEY (place_id),
            CONSTRAINT ck_second_place_outcome
                CHECK (outcome IN ('kept_one', 'moved', 'refunded', 'unfounded')),
            CONSTRAINT ck_second_place_closed CHECK (num_nulls(outcome, closed_by, closed_at) IN (0, 3)
                AND COALESCE(outcome = 'refunded', false) = (refunded_fen IS NOT NULL)),
            CONSTRAINT ck_second_place_refunded_fen CHECK (refunded_fen > 0),
            CONSTRAINT uq_second_place_subject_program_division UNIQUE (subject, program, division)
        )
    """)
    op.execute("CREATE INDEX ix_second_place_listed ON recognition.second_place (program) WHERE listed")
    op.execute(
        "COMMENT ON TABLE recognition.second_place IS "
        "'Where a program lists a person a second time, and what an officer found'"
    )
    for column, comment in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN recognition.second_place.{column} IS '{comment}'")


def downgrade() -> None:
    op.execute("DROP TABLE recognition.second_place")
