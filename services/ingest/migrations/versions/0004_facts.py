"""Two kinds of one person and day are two events; a hint can be taken back."""

from alembic import op

revision = "ingest_0004"
down_revision = "ingest_0003"

STATEMENTS = (
    # An event is a batch of its own. Rows without a kind are of their source's own kind, which only its file tells:
    # the service compares with that before it adds one.
    """ALTER TABLE ingest.evidence_event DROP CONSTRAINT pk_evidence_event,
        ADD CONSTRAINT pk_evidence_event PRIMARY KEY (batch_no)""",
    "CREATE UNIQUE INDEX uq_evidence_event_fact ON ingest.evidence_event (source, month, key, kind)",
    "DROP INDEX ingest.ix_evidence_event_batch_no",
    """ALTER TABLE ingest.hint ADD COLUMN standing text NOT NULL DEFAULT 'stands',
        ADD CONSTRAINT ck_hint_standing CHECK (standing IN ('stands', 'corrected', 'withdrawn')),
        DROP CONSTRAINT uq_hint_source_digest""",
    # Whoever withdrew the wrong file may send the right one, with the same record in it.
    "CREATE UNIQUE INDEX uq_hint_digest ON ingest.hint (source, digest) WHERE standing <> 'withdrawn'",
    "CREATE INDEX ix_hint_batch_no ON ingest.hint (batch_no)",
)


def upgrade() -> None:
    """Let facts differ by kind; the version before runs on beside it."""
    for statement in STATEMENTS:
        op.execute(statement)
