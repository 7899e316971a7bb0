"""Jobs over many people, and the pay lists among them."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.domain.states import JobKind, PayrunState, ResultFormat, RunState
from services.recognition.tables.base import INSTANT, METADATA, UUID, one_of

JOB = sa.Table(
    "job",
    METADATA,
    sa.Column("job_id", UUID, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("user_ref", sa.Text, nullable=False),
    sa.Column("department", sa.Text),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("case_ref", sa.Text),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("max_age_days", sa.Integer),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_at", INSTANT, nullable=False),
    sa.Column("worked_at", INSTANT, comment="real time of the last step; who waited longest is next"),
    sa.Column("finished_at", INSTANT),
    sa.Column("expires_at", INSTANT, comment="when the result file goes"),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("parts_done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("people", sa.BigInteger, comment="of the list; of a whole program known at the end"),
    sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("counts", pg.JSONB, nullable=False, server_default="{}", comment="by answer, or by advice and reason"),
    sa.Column("failures", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("digest", pg.BYTEA, comment="SHA-256 of the result file"),
    sa.Column("size_bytes", sa.BigInteger),
    one_of("kind", JobKind),
    one_of("format", ResultFormat),
    one_of("state", RunState),
    sa.Index("ix_job_pending", "worked_at", postgresql_where=sa.text("state IN ('queued', 'running')")),
    sa.Index("ix_job_client", "client_id", "job_id"),
    comment="Questions about a whole program or a list, worked off part by part",
)

PAYRUN = sa.Table(
    "payrun",
    METADATA,
    sa.Column("payrun_id", UUID, sa.ForeignKey("recognition.job.job_id"), primary_key=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("month", sa.Date, nullable=False, comment="first day of the month it pays for"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("total_fen", sa.BigInteger, nullable=False, comment="of the lines that have an amount"),
    sa.Column("paid_on", sa.Date),
    sa.Column("not_paid", pg.ARRAY(sa.BigInteger), comment="lines that were to be paid and were not"),
    sa.Column("also_paid", pg.ARRAY(sa.BigInteger), comment="lines that were paid although they were not to be"),
    sa.Column("confirmed_by", sa.Text),
    sa.Column("confirmed_at", INSTANT),
    sa.Column("parts_recorded", sa.Integer, nullable=False, server_default="0"),
    sa.Column("paid_lines", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("paid_fen", sa.BigInteger, nullable=False, server_default="0"),
    one_of("state", PayrunState),
    sa.Index("ix_payrun_recording", "payrun_id", postgresql_where=sa.text("state = 'recording'")),
    sa.Index("ix_payrun_program", "program", "month"),
    comment="Lists about to be paid, and what was paid of them",
)

IDEMPOTENCY = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", pg.BYTEA, nullable=False, comment="of method, path and body"),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("headers", pg.JSONB, nullable=False),
    sa.Column("body", pg.BYTEA, nullable=False),
    sa.Column("kept_at", INSTANT, nullable=False, index=True, server_default=sa.func.now()),
    comment="Answers to requests that carried an Idempotency-Key, kept in the transaction of their effect",
)

QUOTA = sa.Table(
    "quota",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, comment="days since 1970"),
    sa.Column("people", sa.BigInteger, nullable=False),
    comment="People each client has asked for on a day, counted ahead in steps",
)
