"""What partners are told, by feed and by webhook, and what they answer."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.domain.feed import EventKind, HandoverState
from services.recognition.tables.base import INSTANT, METADATA, UUID, WORDS, one_of
from shared.contracts.vocabulary import CorrectionStatus, SubscriptionStatus

PARTNER_EVENT = sa.Table(
    "partner_event",
    METADATA,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="in the order of commits"),
    sa.Column("recorded_at", INSTANT, primary_key=True, server_default=sa.func.now()),
    sa.Column("event_id", UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("about", UUID, comment="certificate, decision or correction"),
    sa.Column("reason", sa.Text),
    sa.Column("occurred_at", INSTANT, nullable=False),
    sa.Column("repeats", UUID, comment="event it tells again"),
    one_of("kind", EventKind),
    sa.Index("ix_partner_event_program_seq", "program", "seq"),
    sa.Index("ix_partner_event_event_id", "event_id"),
    postgresql_partition_by="RANGE (recorded_at)",
    comment="What happened in a program, for its partners; one order for all",
)

FEED = sa.Table(
    "feed",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("programs", WORDS, nullable=False, comment="as the client's token said last"),
    sa.Column("acknowledged", sa.BigInteger, nullable=False, server_default="0", comment="seq it has heard"),
    sa.Column("began_at", INSTANT, nullable=False, server_default=sa.func.now()),
    comment="Partners who listen: of their programs certificates are told too",
)

HANDOVER = sa.Table(
    "handover",
    METADATA,
    sa.Column("event_id", UUID, primary_key=True, comment="as it was told first"),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("last_id", UUID, nullable=False, comment="event it was told by last"),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=HandoverState.OPEN),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("told_at", INSTANT, nullable=False),
    sa.Column("due_at", INSTANT, nullable=False, comment="when somebody runs after it"),
    sa.Column("reason", sa.Text, comment="why it was rejected, in the partner's words"),
    sa.Column("changed_at", INSTANT, nullable=False),
    one_of("state", HandoverState),
    sa.Index("ix_handover_unanswered", "due_at", postgresql_where=sa.text("state IN ('open', 'delivered')")),
    sa.Index("ix_handover_client_last_seq", "client_id", "last_seq", postgresql_where=sa.text("state = 'open'")),
    sa.Index("ix_handover_last_id", "last_id"),
    sa.Index("ix_handover_shown", "program", "event_id", postgresql_where=sa.text("state IN ('manual', 'rejected')")),
    comment="Events a partner must have heard, and what it answered",
)

SUBSCRIPTION = sa.Table(
    "subscription",
    METADATA,
    sa.Column("subscription_id", UUID, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False, index=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kinds", WORDS, nullable=False, comment="empty: all"),
    sa.Column("programs", WORDS, nullable=False),
    sa.Column("secret", pg.BYTEA, nullable=False, comment="sealed with the vault key, bound to the subscription"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("changed_at", INSTANT, nullable=False),
    one_of("status", SubscriptionStatus),
    comment="Webhook endpoints of partners; notify tells them",
)

CORRECTION = sa.Table(
    "correction",
    METADATA,
    sa.Column("correction_id", UUID, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False, index=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="a code; what somebody wrote stands in sealed_reason"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("parts", pg.JSONB, nullable=False, server_default="{}", comment="by department's answer"),
    sa.Column("answer", sa.Text, comment="a code; why the department refused stands in sealed_answer"),
    sa.Column("due_on", sa.Date),
    sa.Column("requested_at", INSTANT, nullable=False),
    sa.Column("changed_at", INSTANT, nullable=False),
    sa.Column("sealed_reason", pg.BYTEA, comment="AES-GCM of what was written, bound to the correction"),
    sa.Column("sealed_answer", pg.BYTEA, comment="AES-GCM of what the department wrote, bound to the correction"),
    one_of("status", CorrectionStatus),
    comment="Records partners say are wrong; the department that delivered them answers",
)
