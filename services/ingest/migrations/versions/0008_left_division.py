"""Where within his county somebody moved from: the end of his row there is no end of his enrolment."""

from alembic import op

revision = "ingest_0008"
down_revision = "ingest_0007"


def upgrade() -> None:
    """The version before neither writes nor asks for it."""
    op.execute("ALTER TABLE ingest.enrolment ADD COLUMN left_division text")
    op.execute("COMMENT ON COLUMN ingest.enrolment.left_division IS 'village of the same county he moved from'")
