"""Reassessments of one division: its code stands in the request, its people stay with grid."""

from alembic import op

revision = "scoring_0003"
down_revision = "scoring_0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE scoring.reassessment ADD COLUMN division TEXT",
    "COMMENT ON COLUMN scoring.reassessment.division IS 'whose people alone; grid knows who lives there'",
    "COMMENT ON TABLE scoring.reassessment IS 'Requests to form opinions anew'",
)


def upgrade() -> None:
    """The version before runs on beside it: it takes such a request for one of everybody, which asks for more work."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Requests that are done lose the name of their division."""
    op.execute("ALTER TABLE scoring.reassessment DROP COLUMN division")
