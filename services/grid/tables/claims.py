"""Requests to stop a benefit, and tips."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.grid.domain.claims import StopState, TipState
from services.grid.tables.base import AT, METADATA, one_of, village
from shared.contracts.vocabulary import SuspicionKind

STOP_REQUESTS = sa.Table(
    "stop_requests",
    METADATA,
    sa.Column("request_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("programs", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("relation", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="a code; what people wrote stands in sealed_reason"),
    sa.Column("sealed_reason", pg.BYTEA, comment="AES-GCM of what somebody wrote, bound to the request"),
    sa.Column("event_on", sa.Date),
    sa.Column("requested_at", AT, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("division", sa.Text),
    sa.Column("grid_code", sa.Text),
    sa.Column("worker_id", sa.Text),
    sa.Column("deadline_on", sa.Date, nullable=False),
    sa.Column("told_deadline_on", sa.Date, comment="deadline whose passing was told last"),
    sa.Column("matched", sa.Boolean, nullable=False, comment="a register says the same"),
    sa.Column("as_stated", sa.Boolean, comment="what the village found"),
    sa.Column("verified_by", sa.Text),
    sa.Column("verified_at", AT),
    sa.Column("confirmed", sa.Boolean),
    sa.Column("concluded_by", sa.Text),
    sa.Column("concluded_at", AT),
    sa.Column("withdrawn_at", AT, comment="when the person took it back"),
    one_of("state", StopState),
    village(),
    sa.CheckConstraint("(state = 'received') = (verified_by IS NULL)", name="verified"),
    sa.CheckConstraint("(state = 'concluded') = (concluded_by IS NOT NULL)", name="concluded"),
    sa.CheckConstraint("verified_by <> concluded_by", name="four_eyes"),
    sa.CheckConstraint("NOT confirmed OR as_stated", name="never_without_finding"),
    sa.Index("ix_stop_requests_division", "division", "request_id"),
    sa.Index("ix_stop_requests_unplaced", "subject", postgresql_where=sa.text("division IS NULL")),
    comment="somebody asks to stop his own or a relative's benefit",
)

TIPS = sa.Table(
    "tips",
    METADATA,
    sa.Column("tip_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("claim_key", pg.BYTEA, nullable=False, unique=True, comment="hash of the code the reporter keeps"),
    sa.Column("subject", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("named", sa.Boolean, nullable=False),
    sa.Column("sealed", pg.BYTEA, nullable=False, comment="AES-GCM of JSON {text, name, phone, account}"),
    sa.Column("received_at", AT, nullable=False),
    sa.Column("screen_by", sa.Date, nullable=False),
    sa.Column("tell_by", sa.Date, nullable=False),
    sa.Column("told_deadline_on", sa.Date, comment="deadline whose passing was told last"),
    sa.Column("screened_by", sa.Text),
    sa.Column("told_at", AT),
    sa.Column("case_id", pg.UUID(as_uuid=True)),
    sa.Column("recovered_fen", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reward_fen", sa.BigInteger),
    sa.Column("approved_by", sa.Text),
    sa.Column("claim_until", sa.Date),
    sa.Column("paid_by", sa.Text),
    sa.Column("changed_at", AT, nullable=False),
    one_of("kind", SuspicionKind),
    one_of("state", TipState),
    sa.CheckConstraint("approved_by <> screened_by", name="four_eyes"),
    sa.Index("ix_tips_case_id", "case_id"),
    sa.Index("ix_tips_subject", "subject"),
    comment="tips; no route of the village or the grid reads them",
)

TIP_STEPS = sa.Table(
    "tip_steps",
    METADATA,
    sa.Column("tip_id", pg.UUID(as_uuid=True), sa.ForeignKey(TIPS.c.tip_id), primary_key=True),
    sa.Column("step_no", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("action", sa.Text, nullable=False, comment="a step, or `revealed`: somebody read who reported"),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("happened_at", AT, nullable=False),
    comment="who did what with a tip, and who read the reporter's name; rows are only added",
)

RECOVERED = sa.Table(
    "recovered",
    METADATA,
    sa.Column("overpayment_id", pg.UUID(as_uuid=True), primary_key=True),
    sa.Column("case_id", pg.UUID(as_uuid=True), nullable=False),
    sa.Column("recovered_fen", sa.BigInteger, nullable=False),
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Column("changed_at", AT, nullable=False),
    sa.Index("ix_recovered_case_id", "case_id"),
    comment="what came back of the overpayments of a case, as recognition says",
)
