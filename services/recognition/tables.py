"""Schema of recognition. Bulk tables start with the subject, so that they can be spread by it later."""

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.recognition.domain.enrolments import Status
from services.recognition.domain.programs import ArrearsRule, Effect, EndingEvent, SuspensionReason
from services.recognition.domain.states import DecisionState, ProposalState, RunState
from shared.contracts.vocabulary import CaseConclusion, Channel, Claim, Decision, Level, Strength, SuspicionKind
from shared.kit.db import metadata_for
from shared.kit.inbox import dead_letter_table, inbox_table
from shared.kit.outbox import outbox_table

METADATA = metadata_for("recognition")
outbox_table(METADATA)
inbox_table(METADATA)
dead_letter_table(METADATA)

_INSTANT = sa.DateTime(timezone=True)
_UUID = pg.UUID(as_uuid=True)
_WORDS = pg.ARRAY(sa.Text)


def _one_of(column: str, words: Iterable[StrEnum]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


CLIENT = sa.Table(
    "client",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("department", sa.Text, comment="slug of the department it belongs to"),
    sa.Column("scopes", _WORDS, nullable=False, comment="* stands for every scope"),
    sa.Column("programs", _WORDS, nullable=False, comment="* stands for every program"),
    sa.Column("divisions", _WORDS, nullable=False, comment="prefixes of division codes; empty or *: everywhere"),
    sa.Column("jwks", pg.JSONB, nullable=False, comment="public keys that sign its assertions"),
    sa.Column("listed", sa.Boolean, nullable=False, comment="false: no longer in the clients file, gets no token"),
    sa.Column("updated_at", _INSTANT, nullable=False, server_default=sa.func.now()),
    comment="Callers the token issuer knows",
)

ASSERTION = sa.Table(
    "assertion",
    METADATA,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("jti", sa.Text, primary_key=True),
    sa.Column("expires_at", _INSTANT, nullable=False, index=True),
    comment="Assertions already used: each gives one token",
)

ENROLMENT = sa.Table(
    "enrolment",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False, server_default=Status.ACTIVE, comment="as people have decided it"),
    sa.Column("listed", sa.Boolean, nullable=False, comment="whether the owner's latest roster names the person"),
    sa.Column("amount_fen", sa.BigInteger, nullable=False, comment="a month"),
    sa.Column("division", sa.Text, nullable=False, comment="village, 12 digits"),
    sa.Column("group_no", sa.SmallInteger),
    sa.Column("household", _UUID),
    sa.Column("sex", sa.Text),
    sa.Column("born_on", sa.Date),
    sa.Column("started_on", sa.Date),
    sa.Column("ended_on", sa.Date),
    sa.Column("due_on", sa.Date, comment="day by which the owner wants the next certification"),
    sa.Column("received_at", _INSTANT, nullable=False, comment="of the roster; an older one changes nothing"),
    sa.Column("decision_id", _UUID, comment="decision that stopped it or announced to stop it"),
    sa.CheckConstraint("amount_fen >= 0", name="amount"),
    _one_of("status", Status),
    sa.CheckConstraint("status = 'active' OR decision_id IS NOT NULL", name="stop_needs_decision"),
    sa.ForeignKeyConstraint(
        ["decision_id", "subject", "program"],
        ["recognition.decision.decision_id", "recognition.decision.subject", "recognition.decision.program"],
        name="fk_enrolment_decision",
    ),
    sa.Index("ix_enrolment_program_subject", "program", "subject"),
    comment="A person's entry in a program; only people stop it",
)

STANDING = sa.Table(
    "standing",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("level", sa.Text),
    sa.Column("decision", sa.Text, comment="scoring's latest opinion"),
    sa.Column("as_of", sa.Date),
    sa.Column("rule_set", sa.Text),
    sa.Column("reasons", _WORDS),
    sa.Column("assessed_on", sa.Date),
    sa.Column("said_at", _INSTANT, comment="when scoring said it; what is older changes nothing"),
    sa.Column("said_id", _UUID, comment="message id, decides between two of one instant"),
    sa.Column("cleared_at", _INSTANT, comment="latest conclusion that found nothing"),
    sa.Column("confirmed_at", _INSTANT, comment="latest conclusion that confirmed a suspicion"),
    sa.Column("announced_until", sa.Date, comment="until when the person was last told to be certified"),
    sa.Column(
        "under_review",
        sa.Boolean,
        sa.Computed(
            "COALESCE(GREATEST(CASE WHEN decision = 'suspected' THEN said_at END, confirmed_at)"
            " > COALESCE(cleared_at, '-infinity'), false)",
            persisted=True,
        ),
        nullable=False,
    ),
    sa.CheckConstraint(f"level IN ({', '.join(repr(str(each)) for each in Level)})", name="level"),
    _one_of("decision", Decision),
    sa.CheckConstraint("(decision IS NULL) = (said_at IS NULL)", name="opinion_has_instant"),
    sa.Index("ix_standing_under_review", "subject", postgresql_where=sa.text("under_review")),
    comment="What scoring and people last concluded on a person",
)

CERTIFICATE = sa.Table(
    "certificate",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("certificate_id", _UUID, primary_key=True, comment="follows from subject, claim, as_of, channel, cap"),
    sa.Column("claim", sa.Text, nullable=False),
    sa.Column("as_of", sa.Date, nullable=False, comment="day of the event"),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("strength", sa.Text, nullable=False),
    sa.Column("rule_set", sa.Text, nullable=False),
    sa.Column("cap_months", sa.SmallInteger, comment="longest validity its rule set allows"),
    sa.Column("evidence_ids", pg.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("evidence_class", _WORDS, nullable=False, comment="classes the person may read"),
    sa.Column("issued_on", sa.Date, nullable=False),
    sa.Column("origin", _UUID, comment="visit, session or peer certificate it came from"),
    _one_of("claim", Claim),
    _one_of("channel", Channel),
    _one_of("strength", Strength),
    sa.CheckConstraint("cap_months > 0", name="cap"),
    sa.CheckConstraint("as_of <= issued_on", name="as_of"),
    comment="Formal results; rows are never changed, a trigger refuses it",
)

REVOCATION = sa.Table(
    "revocation",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("certificate_id", _UUID, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("successor_id", _UUID),
    sa.Column("decision_id", _UUID),
    sa.Column("revoked_at", _INSTANT, nullable=False),
    comment="Certificates that no longer hold, and why",
)

HOLDING = sa.Table(
    "holding",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("claim", sa.Text, primary_key=True),
    sa.Column("cap_months", sa.SmallInteger, primary_key=True, comment="0: no cap"),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("certificate_id", _UUID, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("strength", sa.Text, nullable=False),
    comment="Newest certificate in force per person, claim and cap: what every answer looks at",
)

FINDING = sa.Table(
    "finding",
    METADATA,
    sa.Column("case_id", _UUID, primary_key=True),
    sa.Column("subject", _UUID, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("conclusion", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("concluded_at", _INSTANT, nullable=False),
    sa.Column("verified_by", sa.Text, nullable=False),
    sa.Column("concluded_by", sa.Text, nullable=False),
    _one_of("kind", SuspicionKind),
    _one_of("conclusion", CaseConclusion),
    comment="What people concluded on cases",
)

PROPOSAL = sa.Table(
    "proposal",
    METADATA,
    sa.Column("proposal_id", _UUID, primary_key=True),
    sa.Column("subject", _UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("case_id", _UUID, comment="case it follows from"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("stops_from", sa.Date, comment="first day that would not be paid"),
    sa.Column("state", sa.Text, nullable=False, server_default=ProposalState.OPEN),
    sa.Column("opened_at", _INSTANT, nullable=False),
    sa.Column("grounds", sa.Text, comment="what the officer who decided wrote"),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", _INSTANT),
    sa.Column("closed_at", _INSTANT),
    _one_of("reason", EndingEvent),
    _one_of("effect", Effect),
    _one_of("state", ProposalState),
    sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided"),
    sa.Index("ix_proposal_subject", "subject", "program"),
    sa.Index("ix_proposal_open", "opened_at", postgresql_where=sa.text("state IN ('open', 'decided')")),
    comment="What may have to be stopped; for a named officer to decide",
)

DECISION = sa.Table(
    "decision",
    METADATA,
    sa.Column("decision_id", _UUID, primary_key=True),
    sa.Column("proposal_id", _UUID, sa.ForeignKey("recognition.proposal.proposal_id"), nullable=False, unique=True),
    sa.Column("subject", _UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("event_on", sa.Date),
    sa.Column("stops_from", sa.Date, nullable=False),
    sa.Column("amount_fen", sa.BigInteger, nullable=False, comment="a month, when it was decided"),
    sa.Column("grounds", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", _INSTANT, nullable=False),
    sa.Column("confirmed_by", sa.Text, nullable=False),
    sa.Column("confirmed_at", _INSTANT, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=DecisionState.NOTICE),
    sa.Column("notice_until", sa.Date, nullable=False, comment="last day to answer before it takes effect"),
    sa.Column("effective_at", _INSTANT),
    sa.Column("lifted_at", _INSTANT),
    sa.CheckConstraint("confirmed_by <> decided_by", name="four_eyes"),
    sa.CheckConstraint("length(decided_by) > 0 AND length(confirmed_by) > 0", name="named"),
    _one_of("effect", Effect),
    _one_of("reason", EndingEvent),
    _one_of("state", DecisionState),
    sa.UniqueConstraint("decision_id", "subject", "program"),
    comment="What two named people decided; the only way to a stop",
)

ARREARS = sa.Table(
    "arrears",
    METADATA,
    sa.Column("decision_id", _UUID, sa.ForeignKey("recognition.decision.decision_id"), primary_key=True),
    sa.Column("subject", _UUID, nullable=False, index=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="of the suspension; it alone decides what is paid back"),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("suspended_from", sa.Date, nullable=False),
    sa.Column("paid_again_from", sa.Date, nullable=False),
    sa.Column("arrears_fen", sa.BigInteger, nullable=False),
    sa.Column("lifted_by", sa.Text, nullable=False),
    sa.Column("lifted_at", _INSTANT, nullable=False),
    _one_of("reason", SuspensionReason),
    _one_of("rule", ArrearsRule),
    sa.CheckConstraint("arrears_fen >= 0", name="arrears_fen"),
    comment="What a lifted stop pays back",
)

PROOF = sa.Table(
    "proof_of_notice",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("message_id", _UUID, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("delivered_at", _INSTANT, nullable=False),
    comment="Notices that reached their channel's end",
)

RUN = sa.Table(
    "certification_run",
    METADATA,
    sa.Column("run_id", _UUID, primary_key=True),
    sa.Column("run_on", sa.Date, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", _INSTANT, nullable=False),
    sa.Column("finished_at", _INSTANT),
    sa.Column("shards_done", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("due", sa.BigInteger, nullable=False, server_default="0", comment="people whose certification runs out"),
    sa.Column("said", sa.BigInteger, nullable=False, server_default="0", comment="of them, told of for the first time"),
    _one_of("state", RunState),
    sa.Index(
        "ix_certification_run_pending", "requested_at", postgresql_where=sa.text("state IN ('queued', 'running')")
    ),
    comment="Monthly runs that look for people nobody has seen",
)

DUE = sa.Table(
    "due",
    METADATA,
    sa.Column("subject", _UUID, primary_key=True),
    sa.Column("due_on", sa.Date, nullable=False, comment="earliest end over the person's programs"),
    sa.Column("run_id", _UUID, nullable=False),
    sa.Column("run_on", sa.Date, nullable=False),
    sa.Column("cleared_on", sa.Date, comment="day a certificate ended it"),
    comment="People a run did not find; one row a person and cycle",
)

USAGE = sa.Table(
    "usage",
    METADATA,
    sa.Column("usage_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("logged_at", _INSTANT, primary_key=True, server_default=sa.func.now()),
    sa.Column("at", _INSTANT, nullable=False, comment="business time"),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("user_ref", sa.Text, nullable=False, comment="person at the other end where the token names one"),
    sa.Column("department", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("program", sa.Text),
    sa.Column("subject", _UUID),
    sa.Column("purpose", sa.Text),
    sa.Column("legal_basis", sa.Text),
    sa.Column("case_ref", sa.Text),
    sa.Column("answer", sa.Text, nullable=False, comment="what left: an answer, or denied with its reason"),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Index("ix_usage_subject", "subject", "logged_at"),
    postgresql_partition_by="RANGE (logged_at)",
    comment="Every look at a person, written before the answer leaves",
)
