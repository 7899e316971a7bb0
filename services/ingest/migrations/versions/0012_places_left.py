"""Every village that somebody moved from is known: the end of a row there is no end of his enrolment."""

from alembic import op

revision = "ingest_0012"
down_revision = "ingest_0011"


def upgrade() -> None:
    """The version before keeps the last one alone: where it is one of several it compares with none of them."""
    op.execute("COMMENT ON COLUMN ingest.enrolment.left_division IS 'villages he moved from, with commas between them'")
