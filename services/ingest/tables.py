"""Schema of ingest: the vault, the roster, batches, and evidence as columnar segments."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.kit.db import metadata_for
from shared.kit.inbox import dead_letter_table, inbox_table
from shared.kit.outbox import outbox_table

METADATA = metadata_for("ingest")
outbox = outbox_table(METADATA)
inbox = inbox_table(METADATA)
dead_letter = dead_letter_table(METADATA)

INSTANT = sa.DateTime(timezone=True)

person = sa.Table(
    "person",
    METADATA,
    sa.Column("person_no", sa.BigInteger, sa.Identity(), primary_key=True, comment="dense; part of evidence keys"),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False, unique=True),
    sa.Column("name_hash", sa.BigInteger, nullable=False, comment="keyed hash of the normalised name"),
    sa.Column("contact_hash", sa.BigInteger, nullable=False, comment="keyed hash of what is sealed"),
    sa.Column("sealed", pg.BYTEA, nullable=False, comment="AES-GCM of id, name, phones; bound to the subject"),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("division", sa.Text, nullable=False),
    sa.Column("group_no", sa.SmallInteger),
    sa.CheckConstraint("division ~ '^[0-9]{12}$'", name="division"),
)
vault = sa.Table(
    "vault",
    METADATA,
    sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.CheckConstraint("one", name="one"),
)
enrolment = sa.Table(
    "enrolment",
    METADATA,
    sa.Column("subject", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("division", sa.Text, nullable=False),
    sa.Column("group_no", sa.SmallInteger),
    sa.Column("household", pg.UUID(as_uuid=True)),
    sa.Column("sex", sa.Text, nullable=False),
    sa.Column("born_on", sa.Date, nullable=False),
    sa.Column("started_on", sa.Date),
    sa.Column("due_on", sa.Date),
    sa.Column("ended_on", sa.Date),
    sa.Column("batch_no", sa.BigInteger, nullable=False),
    sa.CheckConstraint("amount_fen >= 0", name="amount"),
    sa.Index("ix_enrolment_program", "program"),
)
batch = sa.Table(
    "batch",
    METADATA,
    sa.Column("batch_no", sa.BigInteger, sa.Identity(), primary_key=True, comment="upper half of evidence ids"),
    sa.Column("batch_id", pg.UUID(as_uuid=True), nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False, comment="source or program"),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("chunks_done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("counts", pg.JSONB, nullable=False, server_default="{}"),
    sa.Column("received_at", INSTANT, nullable=False),
    sa.Column("completed_at", INSTANT),
    sa.Column("latency_days", sa.BigInteger, nullable=False, server_default="0", comment="sum over accepted rows"),
    sa.Column("raw_kept", sa.Boolean, nullable=False, server_default=sa.true(), comment="false: the file is gone"),
    sa.UniqueConstraint("kind", "code", "sha256"),
    sa.Index(
        "ix_batch_sha256",
        "sha256",
        postgresql_ops={"sha256": "text_pattern_ops"},
        postgresql_where=sa.text("kind <> 'event'"),
    ),
    sa.Index("ix_batch_code_received_at", "code", "received_at"),
    sa.CheckConstraint("kind IN ('source', 'event', 'roster')", name="kind"),
    sa.CheckConstraint("status IN ('taking', 'completed', 'held', 'withdrawn')", name="status"),
    sa.CheckConstraint("(status IN ('completed', 'withdrawn')) = (completed_at IS NOT NULL)", name="completed"),
)
evidence_segment = sa.Table(
    "evidence_segment",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("month", sa.Integer, primary_key=True, comment="months since 1970 of the days within"),
    sa.Column("batch_no", sa.BigInteger, primary_key=True),
    sa.Column("chunk_no", sa.Integer, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("body", pg.BYTEA, nullable=False, comment="Arrow IPC: key, row_no, kind, full"),
    sa.Index("ix_evidence_segment_batch_no", "batch_no"),
)
evidence_event = sa.Table(
    "evidence_event",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("month", sa.Integer, primary_key=True),
    sa.Column("key", sa.BigInteger, primary_key=True, comment="as in segments; single events are rows"),
    sa.Column("batch_no", sa.BigInteger, nullable=False),
    sa.Index("ix_evidence_event_batch_no", "batch_no"),
)
pulled = sa.Table(
    "pulled",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True, comment="digest of address, size and time of the file"),
    sa.Column("outcome", sa.Text, nullable=False, comment="status of the batch, or the code of the problem"),
    sa.Column("batch_id", pg.UUID(as_uuid=True)),
    sa.Column("at", INSTANT, nullable=False),
)
quarantine_segment = sa.Table(
    "quarantine_segment",
    METADATA,
    sa.Column("batch_no", sa.BigInteger, primary_key=True),
    sa.Column("chunk_no", sa.Integer, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("body", pg.BYTEA, nullable=False, comment="Arrow IPC: row_no, reason; no values"),
)
look = sa.Table(
    "look",
    METADATA,
    sa.Column("seq", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", INSTANT, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Index("ix_look_subject", "subject"),
    postgresql_partition_by="RANGE (at)",
)
