"""Why somebody looked at a person: purpose, legal basis and the caller's own case."""

from alembic import op

revision = "scoring_0005"
down_revision = "scoring_0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE scoring.look ADD COLUMN purpose TEXT, ADD COLUMN legal_basis TEXT, ADD COLUMN case_ref TEXT",
    "COMMENT ON COLUMN scoring.look.purpose IS 'why he looked, where one person was asked about'",
    "COMMENT ON COLUMN scoring.look.legal_basis IS 'rule that allows it'",
    "COMMENT ON COLUMN scoring.look.case_ref IS 'the caller''s own case'",
)


def upgrade() -> None:
    """The version before runs on beside it: it asks for no reason and keeps none."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Looks are kept without their reasons."""
    op.execute("ALTER TABLE scoring.look DROP COLUMN purpose, DROP COLUMN legal_basis, DROP COLUMN case_ref")
