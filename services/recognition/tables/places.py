"""Second listings of people in programs, for officers to look into."""

import sqlalchemy as sa

from services.recognition.domain.places import PlaceOutcome
from services.recognition.tables.base import INSTANT, METADATA, UUID, one_of

SECOND_PLACE = sa.Table(
    "second_place",
    METADATA,
    sa.Column("place_id", UUID, primary_key=True),
    sa.Column("subject", UUID, nullable=False),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("division", sa.Text, nullable=False, comment="village of the second listing, 12 digits"),
    sa.Column("amount_fen", sa.BigInteger, nullable=False, comment="a month, as the second listing says"),
    sa.Column("started_on", sa.Date),
    sa.Column("listed", sa.Boolean, nullable=False, comment="whether the owner's rosters still say so"),
    sa.Column("received_at", INSTANT, nullable=False, comment="of the roster; an older one changes nothing"),
    sa.Column("opened_at", INSTANT, nullable=False, comment="since when it is listed"),
    sa.Column("outcome", sa.Text, comment="what an officer found; settled unless opened again since"),
    sa.Column("refunded_fen", sa.BigInteger),
    sa.Column("closed_by", sa.Text),
    sa.Column("closed_at", INSTANT),
    one_of("outcome", PlaceOutcome),
    sa.CheckConstraint(
        "num_nulls(outcome, closed_by, closed_at) IN (0, 3)"
        " AND COALESCE(outcome = 'refunded', false) = (refunded_fen IS NOT NULL)",
        name="closed",
    ),
    sa.CheckConstraint("refunded_fen > 0", name="refunded_fen"),
    sa.UniqueConstraint("subject", "program", "division"),
    sa.Index("ix_second_place_listed", "program", postgresql_where=sa.text("listed")),
    comment="Where a program lists a person a second time, and what an officer found",
)
