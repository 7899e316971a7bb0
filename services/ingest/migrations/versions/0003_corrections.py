"""Records taken back and corrected, hints, silences said, and what a batch needs to be completed without its sender."""

from alembic import op

revision = "ingest_0003"
down_revision = "ingest_0002"

STATEMENTS = (
    # Null where the version before wrote the row: then it is of the source's own kind.
    "ALTER TABLE ingest.evidence_event ADD COLUMN kind text, ADD COLUMN identified boolean",
    """ALTER TABLE ingest.batch ADD COLUMN roster_full boolean NOT NULL DEFAULT true,
        ADD COLUMN confirmed boolean NOT NULL DEFAULT false,
        ADD COLUMN tries smallint NOT NULL DEFAULT 0""",
    """CREATE TABLE ingest.duplicate_segment (
        source text NOT NULL,
        month integer NOT NULL,
        batch_no bigint NOT NULL,
        chunk_no integer NOT NULL,
        rows integer NOT NULL,
        body bytea NOT NULL,
        CONSTRAINT pk_duplicate_segment PRIMARY KEY (source, month, batch_no, chunk_no)
    )""",
    "ALTER TABLE ingest.duplicate_segment ALTER COLUMN body SET STORAGE EXTERNAL",
    "CREATE INDEX ix_duplicate_segment_batch_no ON ingest.duplicate_segment (batch_no)",
    """CREATE TABLE ingest.taken_back (
        evidence_id bigint NOT NULL CONSTRAINT pk_taken_back PRIMARY KEY,
        source text NOT NULL,
        month integer NOT NULL,
        key bigint NOT NULL,
        kind text NOT NULL,
        counted boolean NOT NULL,
        barred boolean NOT NULL,
        correction_id uuid NOT NULL,
        at timestamptz NOT NULL
    )""",
    "CREATE INDEX ix_taken_back_source_month ON ingest.taken_back (source, month)",
    """CREATE TABLE ingest.correction (
        correction_id uuid NOT NULL CONSTRAINT pk_correction PRIMARY KEY,
        request_id uuid NOT NULL,
        source text NOT NULL,
        department text NOT NULL,
        subject uuid NOT NULL,
        evidence_ids bigint[] NOT NULL,
        reason text NOT NULL,
        asked_by text NOT NULL,
        status text NOT NULL CONSTRAINT ck_correction_status CHECK (status IN ('open', 'accepted', 'refused')),
        requested_at timestamptz NOT NULL,
        due_on date NOT NULL,
        answered_at timestamptz,
        answered_by text,
        answer text,
        CONSTRAINT uq_correction_request_id_source UNIQUE (request_id, source),
        CONSTRAINT ck_correction_answered CHECK ((status = 'open') = (answered_at IS NULL))
    )""",
    "CREATE INDEX ix_correction_department ON ingest.correction (department, correction_id)",
    "CREATE INDEX ix_correction_open ON ingest.correction (source) WHERE status = 'open'",
    """CREATE TABLE ingest.hint (
        hint_id uuid NOT NULL CONSTRAINT pk_hint PRIMARY KEY,
        source text NOT NULL,
        batch_no bigint NOT NULL,
        row_no bigint NOT NULL,
        digest bigint NOT NULL,
        occurred_on date NOT NULL,
        kind text NOT NULL,
        candidates uuid[] NOT NULL,
        at timestamptz NOT NULL,
        CONSTRAINT uq_hint_source_digest UNIQUE (source, digest)
    )""",
    """CREATE TABLE ingest.silence (
        source text NOT NULL CONSTRAINT pk_silence PRIMARY KEY,
        last_received_at timestamptz NOT NULL,
        said_at timestamptz NOT NULL
    )""",
)


def upgrade() -> None:
    """Add what corrections need; the version before runs on beside it."""
    for statement in STATEMENTS:
        op.execute(statement)
