"""Records that hinted at somebody before descriptions were kept are descriptions, too."""

from alembic import op

revision = "ingest_0013"
down_revision = "ingest_0012"

STATEMENT = """
INSERT INTO ingest.description (batch_no, row_no, source, digest, occurred_on, kind, candidates)
SELECT batch_no, row_no, source, digest, occurred_on, kind, candidates FROM ingest.hint
WHERE standing = 'stands' AND cardinality(candidates) > 0 ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    """The version before knows nothing of it."""
    op.execute(STATEMENT)
