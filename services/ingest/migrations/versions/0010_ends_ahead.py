"""An end that a roster says ahead is kept until its day."""

from alembic import op

revision = "ingest_0010"
down_revision = "ingest_0009"

STATEMENTS = (
    "ALTER TABLE ingest.enrolment ADD COLUMN ends_on date",
    """COMMENT ON COLUMN ingest.enrolment.ends_on IS
        'a day to come, said by its roster; it ends then unless that says otherwise'""",
    "ALTER TABLE ingest.second_place ADD COLUMN ends_on date",
    "COMMENT ON COLUMN ingest.second_place.ends_on IS 'as of an enrolment'",
)


def upgrade() -> None:
    """The version before neither writes nor asks for it: what its rosters say does not replace a day that is kept."""
    for statement in STATEMENTS:
        op.execute(statement)
