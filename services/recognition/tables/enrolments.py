"""People's entries in programs, and what was last concluded on them."""

import sqlalchemy as sa

from services.recognition.domain.enrolments import Status
from services.recognition.tables.base import INSTANT, METADATA, UUID, WORDS, one_of
from shared.contracts.vocabulary import Decision, Level

ENROLMENT = sa.Table(
    "enrolment",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False, server_default=Status.ACTIVE, comment="as people have decided it"),
    sa.Column("listed", sa.Boolean, nullable=False, comment="whether the owner's latest roster names the person"),
    sa.Column("amount_fen", sa.BigInteger, nullable=False, comment="a month"),
    sa.Column("division", sa.Text, nullable=False, comment="village, 12 digits"),
    sa.Column("group_no", sa.SmallInteger),
    sa.Column("household", UUID),
    sa.Column("sex", sa.Text),
    sa.Column("born_on", sa.Date),
    sa.Column("started_on", sa.Date),
    sa.Column("ended_on", sa.Date),
    sa.Column("due_on", sa.Date, comment="day by which the owner wants the next certification"),
    sa.Column("received_at", INSTANT, nullable=False, comment="of the roster; an older one changes nothing"),
    sa.Column("decision_id", UUID, comment="decision that stopped it or announced to stop it"),
    sa.Column(
        "decision_owed",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="what people found waits for a decision in this program; kept by trigger",
    ),
    sa.CheckConstraint("amount_fen >= 0", name="amount"),
    one_of("status", Status),
    sa.CheckConstraint("status = 'active' OR decision_id IS NOT NULL", name="stop_needs_decision"),
    sa.ForeignKeyConstraint(
        ["decision_id", "subject", "program"],
        ["recognition.decision.decision_id", "recognition.decision.subject", "recognition.decision.program"],
        name="fk_enrolment_decision",
    ),
    sa.Index("ix_enrolment_program_subject", "program", "subject"),
    sa.Index("ix_enrolment_decision_owed", "subject", postgresql_where=sa.text("decision_owed")),
    comment="A person's entry in a program; only people stop it",
)

AMOUNT = sa.Table(
    "enrolment_amount",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("from_on", sa.Date, primary_key=True, comment="first month of it; 0001-01-01 before the first change"),
    sa.Column("fen", sa.BigInteger, nullable=False, comment="a month"),
    comment="What an enrolment paid a month before and after each change of it",
)

STANDING = sa.Table(
    "standing",
    METADATA,
    sa.Column("subject", UUID, primary_key=True),
    sa.Column("level", sa.Text),
    sa.Column("decision", sa.Text, comment="scoring's latest opinion"),
    sa.Column("as_of", sa.Date),
    sa.Column("rule_set", sa.Text),
    sa.Column("reasons", WORDS),
    sa.Column("assessed_on", sa.Date),
    sa.Column("said_at", INSTANT, comment="when scoring said it; what is older changes nothing"),
    sa.Column("said_id", UUID, comment="message id, decides between two of one instant"),
    sa.Column("cleared_at", INSTANT, comment="until when people are done with what was suspected; of the review alone"),
    sa.Column("confirmed_at", INSTANT, comment="latest conclusion that confirmed a suspicion"),
    sa.Column("alive_at", INSTANT, comment="what a version before writes; see clearing"),
    sa.Column("announced_until", sa.Date, comment="until when the person was last told to be certified"),
    sa.Column(
        "under_review",
        sa.Boolean,
        sa.Computed(
            "COALESCE(decision = 'suspected'"
            " AND said_at > COALESCE(GREATEST(cleared_at, confirmed_at), '-infinity'), false)",
            persisted=True,
        ),
        nullable=False,
    ),
    sa.CheckConstraint(f"level IN ({', '.join(repr(str(each)) for each in Level)})", name="level"),
    one_of("decision", Decision),
    sa.CheckConstraint("(decision IS NULL) = (said_at IS NULL)", name="opinion_has_instant"),
    sa.Index("ix_standing_under_review", "subject", postgresql_where=sa.text("under_review")),
    comment="What scoring and people last concluded on a person",
)
