"""Single events as rows, how late and whether still kept, files that were pulled."""

from alembic import op

revision = "ingest_0002"
down_revision = "ingest_0001"

STATEMENTS = (
    "ALTER TABLE ingest.batch ADD COLUMN latency_days bigint NOT NULL DEFAULT 0",
    "ALTER TABLE ingest.batch ADD COLUMN raw_kept boolean NOT NULL DEFAULT true",
    "CREATE INDEX ix_batch_sha256 ON ingest.batch (sha256 text_pattern_ops) WHERE kind <> 'event'",
    "CREATE INDEX ix_batch_code_received_at ON ingest.batch (code, received_at)",
    """CREATE TABLE ingest.evidence_event (
        source text NOT NULL,
        month integer NOT NULL,
        key bigint NOT NULL,
        batch_no bigint NOT NULL,
        CONSTRAINT pk_evidence_event PRIMARY KEY (source, month, key)
    )""",
    "CREATE INDEX ix_evidence_event_batch_no ON ingest.evidence_event (batch_no)",
    """CREATE TABLE ingest.pulled (
        source text NOT NULL,
        fingerprint text NOT NULL,
        outcome text NOT NULL,
        batch_id uuid,
        at timestamptz NOT NULL,
        CONSTRAINT pk_pulled PRIMARY KEY (source, fingerprint)
    )""",
)


def upgrade() -> None:
    """Add what watching needs; the version before runs on beside it."""
    for statement in STATEMENTS:
        op.execute(statement)
