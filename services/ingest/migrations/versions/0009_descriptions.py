"""Every record that describes a person is kept, so that hints stand by what is known and not by what came first."""

from alembic import op

revision = "ingest_0009"
down_revision = "ingest_0008"

STATEMENTS = (
    """CREATE TABLE ingest.description (
        batch_no bigint NOT NULL,
        row_no bigint NOT NULL,
        source text NOT NULL,
        digest bigint NOT NULL,
        occurred_on date NOT NULL,
        kind text NOT NULL,
        candidates uuid[] NOT NULL,
        CONSTRAINT pk_description PRIMARY KEY (batch_no, row_no)
    )""",
    """COMMENT ON TABLE ingest.description IS
        'Records of sources that may leave the id out, by what they tell of a person'""",
    "COMMENT ON COLUMN ingest.description.digest IS 'as in hint'",
    "COMMENT ON COLUMN ingest.description.candidates IS 'empty: it has an id and says for certain whom it means'",
    "CREATE INDEX ix_description_digest ON ingest.description (source, digest)",
)


def upgrade() -> None:
    """The version before knows nothing of it: what it takes in tells of people as before."""
    for statement in STATEMENTS:
        op.execute(statement)
