"""Schema of scoring: signals as columnar segments and blocks, what follows from them as rows."""

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.scoring.domain.runs import RunState
from services.scoring.domain.suspicions import Status
from shared.contracts.vocabulary import Confidence, Decision, Level, Strength, SuspicionKind
from shared.kit.db import metadata_for
from shared.kit.inbox import dead_letter_table, inbox_table
from shared.kit.outbox import outbox_table

METADATA = metadata_for("scoring")
outbox_table(METADATA)
inbox_table(METADATA)
dead_letter_table(METADATA)

_INSTANT = sa.DateTime(timezone=True)
_UUID = pg.UUID(as_uuid=True)
_WORDS = pg.ARRAY(sa.Text)
_IDS = pg.ARRAY(sa.BigInteger)


def _one_of(column: str, words: Iterable[StrEnum]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


ORIGIN = sa.Table(
    "origin",
    METADATA,
    sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("strong", sa.Boolean, nullable=False),
    sa.Column("candidates", sa.SmallInteger, nullable=False, server_default="1", comment="whom a record may mean"),
    sa.UniqueConstraint("source", "department", "strong", "candidates"),
    sa.CheckConstraint("number BETWEEN 0 AND 511", name="number"),
    comment="Where signals come from; a signal names its origin by number",
)

SEGMENT = sa.Table(
    "signal_segment",
    METADATA,
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False, comment="holds negative evidence or a conclusion"),
    sa.Column("body", pg.BYTEA, nullable=False, comment="Arrow IPC stream as it was heard"),
    sa.Column("heard_at", _INSTANT, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.CheckConstraint("shard BETWEEN 0 AND 15", name="shard"),
    comment="Signals as they arrived, not yet swept",
)

BLOCK = sa.Table(
    "signal_block",
    METADATA,
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False, comment="one sorted merge"),
    sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first_subject", _UUID, nullable=False),
    sa.Column("last_subject", _UUID, nullable=False),
    sa.Column("people", sa.Integer, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("body", pg.BYTEA, nullable=False, comment="Arrow IPC stream: a row per person, lists of his signals"),
    sa.CheckConstraint("shard BETWEEN 0 AND 15", name="shard"),
    sa.CheckConstraint("first_subject <= last_subject", name="subjects"),
    comment="Swept signals, sorted by person: a run is cut into blocks so that one person is a small read",
)

ARRIVAL = sa.Table(
    "arrival",
    METADATA,
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False, comment="upper half of its evidence ids"),
    sa.Column("received_on", sa.Date, nullable=False),
    sa.CheckConstraint("shard BETWEEN 0 AND 15", name="shard"),
    comment="When batches came, so that a back-test knows no evidence before it was there",
)

SHARD = sa.Table(
    "shard_head",
    METADATA,
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("heard_at", _INSTANT, comment="newest segment swept"),
    sa.Column("assessed_on", sa.Date, comment="business day for which every opinion of the shard holds"),
    sa.Column("rule_set", sa.Text, comment="code@version under which every opinion of the shard holds"),
    sa.Column("rules_digest", sa.Text, comment="fingerprint of their content: a file may be edited in place"),
    sa.Column("said_at", _INSTANT, comment="instant of its newest word, never moved back"),
    sa.CheckConstraint("shard BETWEEN 0 AND 15", name="shard"),
    comment="A worker that sweeps a shard locks its row",
)

ASSESSMENT = sa.Table(
    "assessment",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("as_of", sa.Date, comment="newest evidence it rests on"),
    sa.Column("strength", sa.Text, comment="of what it rests on"),
    sa.Column("points", sa.SmallInteger, nullable=False, comment="of weak evidence, where it was needed"),
    sa.Column("valid_months", sa.SmallInteger, comment="cap on the certificate"),
    sa.Column("marked", sa.Boolean, nullable=False, comment="anything but positive evidence is known"),
    sa.Column("reasons", _WORDS, nullable=False),
    sa.Column("evidence_ids", _IDS, nullable=False),
    sa.Column("evidence_class", _WORDS, nullable=False),
    sa.Column("rule_set", sa.Text, nullable=False, comment="code@version that formed it"),
    sa.Column("assessed_on", sa.Date, nullable=False, comment="business day on which it became what it is"),
    sa.Column("digest", sa.BigInteger, nullable=False, comment="fingerprint: equal opinions are not written again"),
    _one_of("level", Level),
    _one_of("decision", Decision),
    _one_of("strength", Strength),
    sa.CheckConstraint("(decision = 'insufficient') = (as_of IS NULL)", name="as_of"),
    sa.CheckConstraint("(decision = 'certifiable') = (strength IS NOT NULL)", name="certified_on_evidence"),
    comment="The current opinion of each person ever seen",
)

SUSPICION = sa.Table(
    "suspicion",
    METADATA,
    sa.Column("suspicion_id", _UUID, primary_key=True, comment="follows from subject, kind and episode"),
    sa.Column("subject", _UUID, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("episode", sa.SmallInteger, nullable=False, comment="how often people had refuted this kind before"),
    sa.Column("confidence", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date, nullable=False),
    sa.Column("evidence_ids", _IDS, nullable=False),
    sa.Column("sources", _WORDS, nullable=False),
    sa.Column("reasons", _WORDS, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, comment="grows with evidence"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("raised_on", sa.Date, nullable=False),
    sa.Column("concluded_at", _INSTANT),
    sa.Column("rule_set", sa.Text, nullable=False),
    sa.UniqueConstraint("subject", "kind", "episode"),
    sa.Index("uq_suspicion_open", "subject", "kind", unique=True, postgresql_where=sa.text("status = 'open'")),
    _one_of("kind", SuspicionKind),
    _one_of("confidence", Confidence),
    _one_of("status", Status),
    sa.CheckConstraint("(status = 'open') = (concluded_at IS NULL)", name="concluded"),
    comment="What people are asked to look into: one open a person and kind",
)

REASSESSMENT = sa.Table(
    "reassessment",
    METADATA,
    sa.Column("reassessment_id", _UUID, primary_key=True),
    sa.Column("rule_set", sa.Text, nullable=False),
    sa.Column("shadow", sa.Boolean, nullable=False, comment="compared only, nothing is written or said"),
    sa.Column("division", sa.Text, comment="whose people alone; grid knows who lives there"),
    sa.Column("assess_on", sa.Date, nullable=False, comment="business day it is done for"),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", _INSTANT, nullable=False),
    sa.Column("cancelled_at", _INSTANT),
    comment="Requests to form opinions anew",
)

REASSESSMENT_SHARD = sa.Table(
    "reassessment_shard",
    METADATA,
    sa.Column(
        "reassessment_id",
        _UUID,
        sa.ForeignKey("scoring.reassessment.reassessment_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("people", sa.Integer, nullable=False, server_default="0"),
    sa.Column("changed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("moves", pg.JSONB, nullable=False, server_default="{}", comment="people by decision before and after"),
    sa.Column("finished_at", _INSTANT),
    sa.Index("ix_reassessment_shard_waiting", "shard", postgresql_where=sa.text("state = 'queued'")),
    _one_of("state", RunState),
    comment="The share of one shard in a reassessment",
)

LOOK = sa.Table(
    "look",
    METADATA,
    sa.Column("looked_at", _INSTANT, primary_key=True, server_default=sa.func.now()),
    sa.Column("look_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("looked_by", sa.Text, nullable=False),
    sa.Column("subject", _UUID, nullable=False, index=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, comment="why he looked, where one person was asked about"),
    sa.Column("legal_basis", sa.Text, comment="rule that allows it"),
    sa.Column("case_ref", sa.Text, comment="the caller's own case"),
    postgresql_partition_by="RANGE (looked_at)",
    comment="Who looked at whose assessment; written before the answer leaves",
)
