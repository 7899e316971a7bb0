"""Certification runs and the people they did not find."""

import sqlalchemy as sa

from services.recognition.domain.cycles import GraceReason
from services.recognition.domain.states import RunState
from services.recognition.tables.base import INSTANT, METADATA, UUID, one_of

RUN = sa.Table(
    "certification_run",
    METADATA,
    sa.Column("run_id", UUID, primary_key=True),
    sa.Column("run_on", sa.Date, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", INSTANT, nullable=False),
    sa.Column("finished_at", INSTANT),
    sa.Column("shards_done", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("due", sa.BigInteger, nullable=False, server_default="0", comment="people whose certification runs out"),
    sa.Column("said", sa.BigInteger, nullable=False, server_default="0", comment="of them, told of"),
    one_of("state", RunState),
    sa.Index(
        "ix_certification_run_pending", "requested_at", postgresql_where=sa.text("state IN ('queued', 'running')")
    ),
    comment="Monthly runs that look for people nobody has seen",
)

DUE = sa.Table(
    "due",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("due_on", sa.Date, nullable=False, comment="earliest end over the person's programs"),
    sa.Column("run_id", UUID, nullable=False),
    sa.Column("run_on", sa.Date, nullable=False),
    sa.Column("said_on", sa.Date, nullable=False, comment="day of the run that last told of the person"),
    sa.Column("cleared_on", sa.Date, comment="day a certificate ended it"),
    sa.Column("task_id", UUID, comment="task grid opened for the person"),
    sa.Column("task_due_on", sa.Date, comment="day by which somebody is to have knocked"),
    comment="People a run did not find; one row a person and cycle",
)

GRACE = sa.Table(
    "grace",
    METADATA,
    sa.Column("grace_id", UUID, primary_key=True),
    sa.Column("program", sa.Text, comment="null: every program"),
    sa.Column("subject", UUID, comment="null: everybody"),
    sa.Column("from_on", sa.Date, nullable=False),
    sa.Column("until_on", sa.Date, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("given_by", sa.Text, nullable=False, comment="an officer, an operator, or the platform itself"),
    sa.Column("given_at", INSTANT, nullable=False),
    one_of("reason", GraceReason),
    sa.CheckConstraint("until_on >= from_on", name="days"),
    sa.CheckConstraint("length(given_by) > 0", name="named"),
    comment="Days in which nobody is stopped for lateness because the platform itself was late; rows are never changed",
)
