"""Notices, objections, and what citizens asked for."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.domain.faces import FaceState
from services.recognition.domain.objections import ObjectionAbout, ObjectionStage, ObjectionState
from services.recognition.domain.origins import RequestKind
from services.recognition.tables.base import INSTANT, METADATA, UUID, WORDS, one_of
from shared.contracts.vocabulary import NoticeKind

NOTICE = sa.Table(
    "notice",
    METADATA,
    sa.Column("notice_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("programs", WORDS, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("amount_fen", sa.BigInteger),
    sa.Column("deadline_on", sa.Date),
    sa.Column("decision_id", UUID, sa.ForeignKey("recognition.decision.decision_id")),
    sa.Column("overpayment_id", UUID, sa.ForeignKey("recognition.overpayment.overpayment_id")),
    sa.Column("given_at", INSTANT, nullable=False),
    one_of("kind", NoticeKind),
    sa.Index("ix_notice_decision_id", "decision_id", postgresql_where=sa.text("decision_id IS NOT NULL")),
    comment="What people had to be told about their money",
)

OBJECTION = sa.Table(
    "objection",
    METADATA,
    sa.Column("objection_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False, index=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("decision_id", UUID, sa.ForeignKey("recognition.decision.decision_id")),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False, comment="a code; the person's words stand in sealed_said"),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column(
        "reviews",
        UUID,
        sa.ForeignKey("recognition.objection.objection_id", name="fk_objection_reviews_objection"),
        unique=True,
        comment="dismissed objection this is the review of",
    ),
    sa.Column("state", sa.Text, nullable=False, server_default=ObjectionState.RECEIVED),
    sa.Column("received_at", INSTANT, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("answered_by", sa.Text),
    sa.Column("answered_at", INSTANT),
    sa.Column("answer", sa.Text, comment="a code; the officer's words stand in sealed_answer"),
    sa.Column("sealed_said", pg.BYTEA, comment="AES-GCM of what the person wrote, bound to the objection"),
    sa.Column("sealed_answer", pg.BYTEA, comment="AES-GCM of what the officer wrote, bound to the objection"),
    one_of("about", ObjectionAbout),
    one_of("stage", ObjectionStage),
    one_of("state", ObjectionState),
    sa.CheckConstraint("(stage = 'review') = (reviews IS NOT NULL)", name="review"),
    sa.CheckConstraint("(state = 'received') = (answered_by IS NULL)", name="answered"),
    sa.Index("ix_objection_open", "due_on", postgresql_where=sa.text("state = 'received'")),
    comment="What people say is wrong, and what came of it",
)

CITIZEN_REQUEST = sa.Table(
    "citizen_request",
    METADATA,
    sa.Column("request_id", UUID, primary_key=True),
    sa.Column("asked_by", UUID, nullable=False, comment="who asks, for himself or for a relative"),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("programs", WORDS, nullable=False),
    sa.Column("relation", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="a code; what people wrote stands in sealed_reason"),
    sa.Column("event_on", sa.Date),
    sa.Column("requested_at", INSTANT, nullable=False),
    sa.Column("concluded_at", INSTANT),
    sa.Column("confirmed", sa.Boolean),
    sa.Column("passed_on_at", INSTANT, comment="when grid was asked; null while no roster lists the person"),
    sa.Column("sealed_reason", pg.BYTEA, comment="AES-GCM of what somebody wrote, bound to the request"),
    sa.Column("withdrawn_at", INSTANT, comment="when the person took it back; what it led to waits for an officer"),
    sa.Column(
        "verified_reason",
        sa.Text,
        comment="what people read in it; null where a version before concluded it",
    ),
    sa.Column("verified_on", sa.Date, comment="the day of the event they verified"),
    one_of("kind", RequestKind),
    sa.Index("ix_citizen_request_asked_by", "asked_by", "requested_at"),
    sa.Index(
        "ix_citizen_request_waiting",
        "subject",
        postgresql_where=sa.text("passed_on_at IS NULL AND concluded_at IS NULL"),
    ),
    comment="What people asked for: a visit at home, the stop of a benefit",
)

FACE_SESSION = sa.Table(
    "face_session",
    METADATA,
    sa.Column("session_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False, unique=True),
    sa.Column("assisted", sa.Boolean, nullable=False, comment="whether family helped"),
    sa.Column("opened_at", INSTANT, nullable=False),
    sa.Column("expires_at", INSTANT, nullable=False, comment="wall time, as the provider's assertion counts it"),
    sa.Column("state", sa.Text, nullable=False, server_default=FaceState.OPEN),
    sa.Column("refused_for", sa.Text),
    sa.Column("score", sa.REAL),
    sa.Column("finished_at", INSTANT),
    sa.Column("certificate_id", UUID),
    one_of("state", FaceState),
    sa.CheckConstraint("(state = 'passed') = (certificate_id IS NOT NULL)", name="passed"),
    sa.Index("ix_face_session_subject", "subject", "opened_at"),
    comment="Self-certifications by face: no picture, only what the provider concluded",
)

FACE_ASSERTION = sa.Table(
    "face_assertion",
    METADATA,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("jti", sa.Text, primary_key=True),
    sa.Column("used_at", INSTANT, nullable=False, server_default=sa.func.now()),
    comment="Assertions of face providers already used: each counts once",
)

CASE_CORRECTION = sa.Table(
    "case_correction",
    METADATA,
    sa.Column("correction_id", UUID, primary_key=True),
    sa.Column("case_id", UUID, nullable=False, unique=True),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("evidence_ids", pg.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("requested_at", INSTANT, nullable=False),
    comment="Corrections asked of a source's department because a case found its record false",
)
