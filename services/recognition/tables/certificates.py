"""Certificates, their revocation, and which of them count."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.domain.peers import IdCheck, PeerMethod
from services.recognition.tables.base import INSTANT, METADATA, UUID, WORDS, one_of
from shared.contracts.vocabulary import Channel, Claim, Strength

CERTIFICATE = sa.Table(
    "certificate",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("certificate_id", UUID, primary_key=True, comment="follows from subject, claim, as_of, channel, cap"),
    sa.Column("claim", sa.Text, nullable=False),
    sa.Column("as_of", sa.Date, nullable=False, comment="day of the event"),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("strength", sa.Text, nullable=False),
    sa.Column("rule_set", sa.Text, nullable=False),
    sa.Column("cap_months", sa.SmallInteger, comment="longest validity its rule set allows"),
    sa.Column("evidence_ids", pg.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("evidence_class", WORDS, nullable=False, comment="classes the person may read"),
    sa.Column("issued_on", sa.Date, nullable=False),
    sa.Column("origin", UUID, comment="visit, session or peer certificate it came from"),
    sa.Column("made_at", INSTANT, comment="when it was made, where somebody saw the person; null in rows of before"),
    one_of("claim", Claim),
    one_of("channel", Channel),
    one_of("strength", Strength),
    sa.CheckConstraint("cap_months > 0", name="cap"),
    sa.CheckConstraint("as_of <= issued_on", name="as_of"),
    comment="Formal results; rows are never changed, a trigger refuses it",
)

REVOCATION = sa.Table(
    "revocation",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("certificate_id", UUID, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("successor_id", UUID),
    sa.Column("decision_id", UUID),
    sa.Column("revoked_at", INSTANT, nullable=False),
    sa.Column("revoked_by", sa.Text, comment="who took it back, where no decision did"),
    sa.Column("grounds", sa.Text, comment="why, in that person's words"),
    comment="Certificates that no longer hold, and why",
)

WITHDRAWN_EVIDENCE = sa.Table(
    "withdrawn_evidence",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("evidence_id", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="Evidence its department took back: an opinion that still names it certifies nobody",
)

PEER_CERTIFICATE = sa.Table(
    "peer_certificate",
    METADATA,
    sa.Column("peer_id", UUID, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False, comment="the department's own record; the same one is taken once"),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("certificate_id", UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("certified_by", sa.Text, nullable=False, comment="who in the department, as its token says"),
    sa.Column("received_at", INSTANT, nullable=False),
    sa.Column("withdrawn_at", INSTANT),
    sa.Column("id_check", sa.Text, comment="how a clerk at a counter made sure who it was"),
    sa.UniqueConstraint("client_id", "reference"),
    one_of("method", PeerMethod),
    one_of("id_check", IdCheck),
    sa.CheckConstraint("(method = 'counter') = (id_check IS NOT NULL)", name="counter"),
    sa.Index("ix_peer_certificate_subject", "subject", "certificate_id"),
    comment="Certifications peer departments made themselves; recognition works both ways",
)

HOLDING = sa.Table(
    "holding",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("claim", sa.Text, primary_key=True),
    sa.Column("cap_months", sa.SmallInteger, primary_key=True, comment="0: no cap"),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("certificate_id", UUID, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("strength", sa.Text, nullable=False),
    comment="Newest certificate in force per person, claim and cap: what every answer looks at",
)
