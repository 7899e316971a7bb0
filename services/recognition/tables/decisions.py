"""What named people conclude and decide, and the proof that somebody was told."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import ArrearsRule, Effect, EndingEvent, SuspensionReason
from services.recognition.domain.states import DecisionState, ProposalState
from services.recognition.tables.base import INSTANT, METADATA, UUID, WORDS, one_of
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind

FINDING = sa.Table(
    "finding",
    METADATA,
    sa.Column("case_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("conclusion", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("concluded_at", INSTANT, nullable=False),
    sa.Column("until_on", sa.Date, comment="last day of which a conclusion that clears speaks; null: all found so far"),
    sa.Column("verified_by", sa.Text, nullable=False),
    sa.Column("concluded_by", sa.Text, nullable=False),
    sa.Column(
        "evidence_ids",
        pg.ARRAY(sa.BigInteger),
        nullable=False,
        server_default="{}",
        comment="what the suspicion rested on",
    ),
    one_of("kind", SuspicionKind),
    one_of("conclusion", CaseConclusion),
    comment="What people concluded on cases",
)

CLEARING = sa.Table(
    "clearing",
    METADATA,
    sa.Column("clearing_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False, index=True),
    sa.Column("reasons", WORDS, nullable=False, comment="which are not so"),
    sa.Column("until_on", sa.Date, comment="last day of which it speaks"),
    sa.Column("about_at", INSTANT, comment="when what names no day, and is not so, was found; null where it was dated"),
    sa.Column("found_at", INSTANT, nullable=False, comment="what was found later stands"),
    sa.Column("lives", sa.Boolean, nullable=False, comment="whether it never was so: the person lives"),
    sa.CheckConstraint("num_nonnulls(until_on, about_at) > 0", name="speaks"),
    comment="What officers found not to be so",
)

PROPOSAL = sa.Table(
    "proposal",
    METADATA,
    sa.Column("proposal_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("case_id", UUID, comment="case it follows from"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("stops_from", sa.Date, comment="first day that would not be paid"),
    sa.Column("state", sa.Text, nullable=False, server_default=ProposalState.OPEN),
    sa.Column("opened_at", INSTANT, nullable=False),
    sa.Column("grounds", sa.Text, comment="what the officer who decided wrote"),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", INSTANT),
    sa.Column("closed_at", INSTANT),
    sa.Column("origin", sa.Text, nullable=False, server_default=ProposalOrigin.CASE, comment="what made somebody look"),
    sa.Column("origin_id", UUID, comment="request it follows from"),
    sa.Column("opened_by", sa.Text, comment="officer who opened it of his own knowledge"),
    sa.Column("sealed_ground", sa.LargeBinary, comment="what he knows, in his words; sealed for the proposal"),
    sa.Column("rejected_by", sa.Text),
    sa.Column("rejected_for", sa.Text, comment="why, in the words of who rejected it"),
    one_of("origin", ProposalOrigin),
    one_of("reason", EndingEvent),
    one_of("effect", Effect),
    one_of("state", ProposalState),
    sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided"),
    sa.CheckConstraint("(origin = 'officer') = (opened_by IS NOT NULL)", name="opened_by"),
    sa.Index("ix_proposal_subject", "subject", "program"),
    sa.Index("ix_proposal_open", "opened_at", postgresql_where=sa.text("state IN ('open', 'decided')")),
    comment="What may have to be stopped; for a named officer to decide",
)

DECISION = sa.Table(
    "decision",
    METADATA,
    sa.Column("decision_id", UUID, primary_key=True),
    sa.Column("proposal_id", UUID, sa.ForeignKey("recognition.proposal.proposal_id"), nullable=False, unique=True),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("stops_from", sa.Date, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False, comment="a month, when it was decided"),
    sa.Column("grounds", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", INSTANT, nullable=False),
    sa.Column("confirmed_by", sa.Text, nullable=False),
    sa.Column("confirmed_at", INSTANT, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=DecisionState.NOTICE),
    sa.Column("notice_until", sa.Date, nullable=False, comment="last day to answer before it takes effect"),
    sa.Column("effective_at", INSTANT),
    sa.Column("lifted_at", INSTANT),
    sa.CheckConstraint("confirmed_by <> decided_by", name="four_eyes"),
    sa.CheckConstraint("length(decided_by) > 0 AND length(confirmed_by) > 0", name="named"),
    one_of("effect", Effect),
    one_of("reason", EndingEvent),
    one_of("state", DecisionState),
    sa.UniqueConstraint("decision_id", "subject", "program"),
    sa.Index("ix_decision_subject", "subject", "program"),
    comment="What two named people decided; the only way to a stop",
)

ARREARS = sa.Table(
    "arrears",
    METADATA,
    sa.Column("decision_id", UUID, sa.ForeignKey("recognition.decision.decision_id"), primary_key=True),
    sa.Column("subject", UUID, nullable=False, index=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="of the suspension; it alone decides what is paid back"),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("suspended_from", sa.Date, nullable=False),
    sa.Column("paid_again_from", sa.Date, nullable=False),
    sa.Column("arrears_fen", sa.BigInteger, nullable=False),
    sa.Column("lifted_by", sa.Text, nullable=False),
    sa.Column("lifted_at", INSTANT, nullable=False),
    one_of("reason", SuspensionReason),
    one_of("rule", ArrearsRule),
    sa.CheckConstraint("arrears_fen >= 0", name="arrears_fen"),
    comment="What a lifted stop pays back",
)

PROOF = sa.Table(
    "proof_of_notice",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("message_id", UUID, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("delivered_at", INSTANT, nullable=False, comment="when it arrived, or failed"),
    sa.Column("notice_id", UUID),
    sa.Column("outcome", sa.Text, nullable=False, server_default="delivered"),
    sa.Column("reason", sa.Text),
    sa.CheckConstraint("outcome IN ('delivered', 'failed')", name="outcome"),
    sa.Index("ix_proof_of_notice_notice_id", "notice_id", postgresql_where=sa.text("notice_id IS NOT NULL")),
    comment="Notices that reached their channel's end, or were tried in vain",
)
