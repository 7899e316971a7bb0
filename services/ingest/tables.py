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
    sa.Column("contact_hash", sa.BigInteger, nullable=False, comment="keyed hash of the row it was sealed from"),
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
    sa.Column("contact_hash", sa.BigInteger, comment="keyed hash of what its roster said last of name, phones, place"),
    sa.Column("left_division", sa.Text, comment="villages he moved from, with commas between them"),
    sa.Column("ends_on", sa.Date, comment="a day to come, said by its roster; it ends then unless that says otherwise"),
    sa.CheckConstraint("amount_fen >= 0", name="amount"),
    sa.Index("ix_enrolment_program", "program"),
)
second_place = sa.Table(
    "second_place",
    METADATA,
    sa.Column("subject", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("division", sa.Text, primary_key=True),
    sa.Column("amount_fen", sa.BigInteger, nullable=False),
    sa.Column("started_on", sa.Date),
    sa.Column("batch_no", sa.BigInteger, nullable=False),
    sa.Column("ends_on", sa.Date, comment="as of an enrolment"),
    sa.Index("ix_second_place_program", "program"),
    comment="Where a program lists a person a second time, beside the enrolment",
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
    sa.Column("roster_full", sa.Boolean, nullable=False, server_default=sa.true(), comment="whoever is not in it ends"),
    sa.Column("confirmed", sa.Boolean, nullable=False, server_default=sa.false(), comment="somebody let it through"),
    sa.Column(
        "tries", sa.SmallInteger, nullable=False, server_default="0", comment="to complete it without its sender"
    ),
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
    sa.Column("chunk_no", sa.Integer, primary_key=True, comment="below 0: counts since another batch was withdrawn"),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("body", pg.BYTEA, nullable=False, comment="Arrow IPC: key, row_no, kind, full"),
    sa.Index("ix_evidence_segment_batch_no", "batch_no"),
)
duplicate_segment = sa.Table(
    "duplicate_segment",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("month", sa.Integer, primary_key=True),
    sa.Column("batch_no", sa.BigInteger, primary_key=True),
    sa.Column("chunk_no", sa.Integer, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("body", pg.BYTEA, nullable=False, comment="as in evidence_segment; they count when the first one goes"),
    sa.Index("ix_duplicate_segment_batch_no", "batch_no"),
)
evidence_event = sa.Table(
    "evidence_event",
    METADATA,
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("month", sa.Integer, nullable=False),
    sa.Column("key", sa.BigInteger, nullable=False, comment="as in segments; single events are rows"),
    sa.Column("batch_no", sa.BigInteger, primary_key=True),
    sa.Column("kind", sa.Text, comment="null: the source's own"),
    sa.Column("identified", sa.Boolean, comment="null: by the id only"),
    sa.Index("uq_evidence_event_fact", "source", "month", "key", "kind", unique=True),
)
taken_back = sa.Table(
    "taken_back",
    METADATA,
    sa.Column("evidence_id", sa.BigInteger, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("month", sa.Integer, nullable=False),
    sa.Column("key", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("counted", sa.Boolean, nullable=False, comment="false: it was a duplicate of what was taken back"),
    sa.Column("barred", sa.Boolean, nullable=False, comment="the same record is not taken when it comes again"),
    sa.Column("correction_id", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Index("ix_taken_back_source_month", "source", "month"),
)
correction = sa.Table(
    "correction",
    METADATA,
    sa.Column("correction_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("request_id", pg.UUID(as_uuid=True), nullable=False, comment="of whoever asked"),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("evidence_ids", pg.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="a code; what somebody wrote stands in sealed_reason"),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("requested_at", INSTANT, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("answered_at", INSTANT),
    sa.Column("answered_by", sa.Text),
    sa.Column("answer", sa.Text, comment="a code; what the department wrote stands in sealed_answer"),
    sa.Column("sealed_reason", pg.BYTEA, comment="AES-GCM of what was written, bound to the request"),
    sa.Column("sealed_answer", pg.BYTEA, comment="AES-GCM of what the department wrote, bound to the correction"),
    sa.UniqueConstraint("request_id", "source"),
    sa.Index("ix_correction_department", "department", "correction_id"),
    sa.Index("ix_correction_open", "source", postgresql_where=sa.text("status = 'open'")),
    sa.CheckConstraint("status IN ('open', 'accepted', 'refused')", name="status"),
    sa.CheckConstraint("(status = 'open') = (answered_at IS NULL)", name="answered"),
)
hint = sa.Table(
    "hint",
    METADATA,
    sa.Column("hint_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("batch_no", sa.BigInteger, nullable=False),
    sa.Column("row_no", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.BigInteger, nullable=False, comment="keyed, of name, sex, age and day"),
    sa.Column("occurred_on", sa.Date, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("candidates", pg.ARRAY(pg.UUID(as_uuid=True)), nullable=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("standing", sa.Text, nullable=False, server_default="stands"),
    sa.Index("uq_hint_digest", "source", "digest", unique=True, postgresql_where=sa.text("standing <> 'withdrawn'")),
    sa.Index("ix_hint_batch_no", "batch_no"),
    sa.CheckConstraint("standing IN ('stands', 'corrected', 'withdrawn')", name="standing"),
)
description = sa.Table(
    "description",
    METADATA,
    sa.Column("batch_no", sa.BigInteger, primary_key=True),
    sa.Column("row_no", sa.BigInteger, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("digest", sa.BigInteger, nullable=False, comment="as in hint"),
    sa.Column("occurred_on", sa.Date, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column(
        "candidates",
        pg.ARRAY(pg.UUID(as_uuid=True)),
        nullable=False,
        comment="empty: it has an id and says for certain whom it means",
    ),
    sa.Index("ix_description_digest", "source", "digest"),
    comment="Records of sources that may leave the id out, by what they tell of a person",
)
silence = sa.Table(
    "silence",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("last_received_at", INSTANT, nullable=False),
    sa.Column("said_at", INSTANT, nullable=False),
)
pulled = sa.Table(
    "pulled",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True, comment="digest of address, size and time of the file"),
    sa.Column("outcome", sa.Text, nullable=False, comment="status of the batch, or the code of the problem"),
    sa.Column("batch_id", pg.UUID(as_uuid=True)),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("put_at", INSTANT, comment="since when it had lain there; null: unknown"),
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
