"""A person whom a program lists at two places is enrolled at one; the other is kept beside the enrolment."""

from alembic import op

revision = "ingest_0007"
down_revision = "ingest_0006"

STATEMENTS = (
    """CREATE TABLE ingest.second_place (
        subject uuid NOT NULL,
        program text NOT NULL,
        division text NOT NULL,
        amount_fen bigint NOT NULL,
        started_on date,
        batch_no bigint NOT NULL,
        CONSTRAINT pk_second_place PRIMARY KEY (subject, program, division)
    )""",
    """COMMENT ON TABLE ingest.second_place IS
        'Where a program lists a person a second time, beside the enrolment'""",
    "CREATE INDEX ix_second_place_program ON ingest.second_place (program)",
)


def upgrade() -> None:
    """The version before knows nothing of it: its next roster tells what it missed."""
    for statement in STATEMENTS:
        op.execute(statement)
