"""What each roster said of a person, so that it is heard again only once it says something new."""

from alembic import op

revision = "ingest_0005"
down_revision = "ingest_0004"


def upgrade() -> None:
    """Add a column that the version before leaves empty."""
    op.execute("ALTER TABLE ingest.enrolment ADD COLUMN contact_hash bigint")
