"""Schema of notify: whom we can reach, whom we must not write to, what was said and how each try went."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.kit.db import metadata_for
from shared.kit.inbox import dead_letter_table, inbox_table
from shared.kit.outbox import outbox_table

METADATA = metadata_for("notify")

outbox_table(METADATA)
inbox_table(METADATA)
dead_letter_table(METADATA)

_AT = sa.DateTime(timezone=True)
_UUID = pg.UUID(as_uuid=True)

CONTACT = sa.Table(
    "contact",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column(
        "sealed",
        pg.BYTEA,
        nullable=False,
        comment="AES-GCM of JSON {name, phone, family_phone, card_tail}; opened to send only",
    ),
    sa.Column("reachable", sa.Text, nullable=False, comment="what the sealed part holds: phone, family or none"),
    sa.Column("division", sa.Text, comment="village, 12 digits"),
    sa.Column("received_at", _AT, nullable=False, comment="of the roster; an older one never wins"),
    sa.Index("ix_contact_division", "division"),
    sa.CheckConstraint("reachable IN ('phone', 'family', 'none')", name="reachable"),
)

DO_NOT_WRITE = sa.Table(
    "do_not_write",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("since", sa.Date, comment="earliest recorded day of death, null where registers do not say"),
    sa.Column("reason", sa.Text, nullable=False, comment="kind of suspicion, visit, stop_request, or confirmed"),
    sa.Column("recorded_at", _AT, comment="newest record of a death that stands"),
    sa.Column("lifted_at", _AT, comment="newest conclusion that the person lives, where no record stands"),
    sa.Column(
        "blocked",
        sa.Boolean,
        sa.Computed(
            "recorded_at IS NOT NULL AND (lifted_at IS NULL OR lifted_at < recorded_at)",
            persisted=True,
        ),
        comment="true: never written to",
    ),
)

DEATH_RECORD = sa.Table(
    "death_record",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("record_id", _UUID, primary_key=True, comment="suspicion, visit, request, case or finding"),
    sa.Column("revision", sa.Integer, nullable=False, comment="the highest one counts"),
    sa.Column("stands", sa.Boolean, nullable=False, comment="false: a bare hint, taken back, or of no death"),
    sa.Column("since", sa.Date, comment="day of the death, or on which he was known to live"),
    sa.Column("reason", sa.Text, nullable=False, comment="alive: people found that he lived"),
    sa.Column("recorded_at", _AT, nullable=False),
    comment="what do_not_write is made of",
)

PREFERENCE = sa.Table(
    "preference",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column(
        "information",
        sa.Boolean,
        nullable=False,
        comment="false: only legal notices are sent; the inbox keeps the rest",
    ),
    sa.Column("large_print", sa.Boolean, nullable=False, comment="letters in large print"),
    sa.Column("language", sa.Text, nullable=False, server_default="zh-CN", comment="by its tag"),
    sa.Column("changed_at", _AT, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False, comment="client that asked for it"),
)

MESSAGE = sa.Table(
    "message",
    METADATA,
    sa.Column("id", _UUID, primary_key=True, comment="made from the template and what the event is about"),
    sa.Column("subject", _UUID, comment="whom it is for or about; null where it is about no person"),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, comment="department, grid member, partner or program, for such an audience"),
    sa.Column("division", sa.Text, comment="where it belongs to, if it is about no person; prefix of 12 digits"),
    sa.Column("about", _UUID, comment="notice, certificate or event it tells of; null where that is not one thing"),
    sa.Column("decision_id", _UUID, comment="whose notice it is: what has been given up is not brought any more"),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("version", sa.SmallInteger, nullable=False),
    sa.Column("variables", pg.JSONB, nullable=False, comment="typed values; never a name, phone or id number"),
    sa.Column("lane", sa.SmallInteger, nullable=False, comment="0 legal, 1 urgent, 2 bulk"),
    sa.Column("revision", sa.Integer, nullable=False, comment="grows with what is known; the highest one stands"),
    sa.Column("said_at", _AT, comment="when its event was said, where what was said last is so; else null"),
    sa.Column("in_inbox", sa.Boolean, nullable=False, comment="the row itself is the delivery to the inbox"),
    sa.Column("read_at", _AT, comment="when its person first looked at it there"),
    sa.Column("refused", sa.Text, comment="why nobody is told; null otherwise"),
    sa.Column(
        "given_up",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="true: it is not so any more, and is not brought",
    ),
    sa.Column("created_at", _AT, nullable=False),
    sa.CheckConstraint("lane BETWEEN 0 AND 2", name="lane"),
    sa.CheckConstraint(
        "audience IN ('citizen', 'family', 'grid_worker', 'village', 'officer', 'department', 'partner')",
        name="audience",
    ),
    sa.CheckConstraint("subject IS NOT NULL OR audience NOT IN ('citizen', 'family')", name="somebody"),
    sa.CheckConstraint("NOT (in_inbox AND refused IS NOT NULL)", name="refused_reaches_nobody"),
    sa.Index("ix_message_subject", "subject", "created_at"),
    sa.Index(
        "ix_message_audience",
        "audience",
        "created_at",
        "id",
        postgresql_where=sa.text("audience NOT IN ('citizen', 'family')"),
    ),
)

DELIVERY = sa.Table(
    "delivery",
    METADATA,
    sa.Column("message_id", _UUID, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("attempt", sa.SmallInteger, primary_key=True),
    sa.Column("subject", _UUID),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("lane", sa.SmallInteger, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column(
        "personal",
        sa.Boolean,
        nullable=False,
        comment="to the person himself; once he is recorded as dead it is refused, a legal one goes to the family",
    ),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("due_at", _AT, nullable=False, comment="not before; business time"),
    sa.Column("leased_until", _AT, comment="a sender that died gives it back then; wall time"),
    sa.Column("provider", sa.Text, comment="who answered; before that who may have it already, empty: one of them"),
    sa.Column("reference", sa.Text, comment="the provider's own number"),
    sa.Column("reason", sa.Text, comment="why it waits, failed or was refused; a code"),
    sa.Column("parts", sa.SmallInteger, nullable=False, server_default="0", comment="what the provider bills"),
    sa.Column("digest", pg.BYTEA, comment="SHA-256 of title, zero byte and text as they were handed over"),
    sa.Column("handed_at", _AT),
    sa.Column("ended_at", _AT),
    sa.CheckConstraint(
        "status IN ('waiting', 'queued', 'sending', 'handed', 'delivered', 'failed', 'refused', 'merged')",
        name="status",
    ),
    sa.CheckConstraint("attempt >= 1", name="attempt"),
    sa.CheckConstraint(
        "(ended_at IS NOT NULL) = (status IN ('delivered', 'failed', 'refused', 'merged'))", name="ended"
    ),
    sa.CheckConstraint("(leased_until IS NOT NULL) = (status = 'sending')", name="leased"),
    sa.Index("ix_delivery_queue", "channel", "lane", "due_at", postgresql_where=sa.text("status = 'queued'")),
    sa.Index("ix_delivery_leased", "leased_until", postgresql_where=sa.text("status = 'sending'")),
    sa.Index("ix_delivery_handed", "channel", "handed_at", postgresql_where=sa.text("status = 'handed'")),
    sa.Index("ix_delivery_waiting", "subject", postgresql_where=sa.text("status = 'waiting'")),
    sa.Index("ix_delivery_subject", "subject", "channel"),
)

PROGRAM_LABEL = sa.Table(
    "program_label",
    METADATA,
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    comment="labels of programs as recognition last told them",
)

LOOK = sa.Table(
    "look",
    METADATA,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", _AT, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False, comment="the person at the other end where the token names one"),
    sa.Column("subject", _UUID, nullable=False, comment="at whose messages he looked"),
    sa.Column("found", sa.Integer, nullable=False),
    sa.Index("ix_look_subject", "subject", "at"),
)

PARTNER_EVENT = sa.Table(
    "partner_event",
    METADATA,
    sa.Column("event_id", _UUID, primary_key=True),
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False, comment="the order of hearing"),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("subject", _UUID, nullable=False, comment="never told to a partner"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("occurred_at", _AT, nullable=False),
    sa.Column("heard_at", _AT, nullable=False, comment="business time"),
    sa.Column("traceparent", sa.Text, comment="of what it came from; posts go on with it"),
    sa.Index("ix_partner_event_heard", "client_id", "heard_at"),
    sa.Index("ix_partner_event_age", "heard_at"),
    comment="what partners are told, kept for replay",
)

ENDPOINT = sa.Table(
    "endpoint",
    METADATA,
    sa.Column("subscription_id", _UUID, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kinds", pg.ARRAY(sa.Text), nullable=False, comment="empty: all"),
    sa.Column("programs", pg.ARRAY(sa.Text), nullable=False, comment="empty: all of the partner"),
    sa.Column("secret", pg.BYTEA, nullable=False, comment="sealed, bound to the subscription"),
    sa.Column("previous_secret", pg.BYTEA, comment="signs too until previous_until"),
    sa.Column("previous_until", _AT),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="why it stands so; a code"),
    sa.Column("version", sa.Integer, nullable=False, comment="of the subscription; an older one never wins"),
    sa.Column("failures", sa.SmallInteger, nullable=False, server_default="0", comment="since the last success"),
    sa.Column("due_at", _AT, comment="not before: the next challenge, or the next try of one that fails"),
    sa.Column("leased_until", _AT, comment="of a challenge under way; wall time"),
    sa.Column("asked_at", _AT, nullable=False, comment="events from then on are the partner's"),
    sa.Column("changed_at", _AT, nullable=False),
    sa.Column("succeeded_at", _AT, comment="last success"),
    sa.CheckConstraint("status IN ('pending', 'active', 'paused', 'disabled', 'ended')", name="status"),
    sa.Index("ix_endpoint_client", "client_id"),
)

POST = sa.Table(
    "post",
    METADATA,
    sa.Column("subscription_id", _UUID, primary_key=True),
    sa.Column("event_id", _UUID, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, comment="of the event: what is oldest goes first"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False),
    sa.Column("due_at", _AT, nullable=False),
    sa.Column("leased_until", _AT, comment="wall time"),
    sa.Column("http_status", sa.SmallInteger),
    sa.Column("reason", sa.Text),
    sa.Column("ended_at", _AT),
    sa.Column("told", sa.Boolean, nullable=False, comment="its end has been said as a receipt"),
    sa.CheckConstraint("status IN ('queued', 'sending', 'delivered', 'failed')", name="status"),
    sa.CheckConstraint("(ended_at IS NOT NULL) = (status IN ('delivered', 'failed'))", name="ended"),
    sa.CheckConstraint("(leased_until IS NOT NULL) = (status = 'sending')", name="leased"),
    sa.Index("ix_post_queue", "subscription_id", "seq", postgresql_where=sa.text("status = 'queued'")),
    sa.Index("ix_post_leased", "leased_until", postgresql_where=sa.text("status = 'sending'")),
    sa.Index("ix_post_untold", "subscription_id", postgresql_where=sa.text("ended_at IS NOT NULL AND NOT told")),
    sa.Index("ix_post_event", "event_id"),
)
