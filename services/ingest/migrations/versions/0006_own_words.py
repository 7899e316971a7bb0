"""What people write of corrections is sealed: it names those it is about."""

from alembic import op

revision = "ingest_0006"
down_revision = "ingest_0005"

STATEMENTS = (
    "ALTER TABLE ingest.correction ADD COLUMN sealed_reason bytea, ADD COLUMN sealed_answer bytea",
    "COMMENT ON COLUMN ingest.correction.sealed_reason IS 'AES-GCM of what was written, bound to the request'",
    """COMMENT ON COLUMN ingest.correction.sealed_answer IS
        'AES-GCM of what the department wrote, bound to the correction'""",
    "COMMENT ON COLUMN ingest.correction.reason IS 'a code; what somebody wrote stands in sealed_reason'",
    "COMMENT ON COLUMN ingest.correction.answer IS 'a code; what the department wrote stands in sealed_answer'",
)


def upgrade() -> None:
    """The version before reads on beside it: a code where there were words."""
    for statement in STATEMENTS:
        op.execute(statement)
