"""A request keeps what people verified of it beside what was asked."""

import sqlalchemy as sa
from alembic import op

revision = "recognition_0029"
down_revision = "recognition_0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The version before never fills them; what it concludes counts as it was asked."""
    read = "what people read in it; null where a version before concluded it"
    op.add_column("citizen_request", sa.Column("verified_reason", sa.Text, comment=read), schema="recognition")
    known = "the day of the event they verified"
    op.add_column("citizen_request", sa.Column("verified_on", sa.Date, comment=known), schema="recognition")


def downgrade() -> None:
    for name in ("verified_on", "verified_reason"):
        op.drop_column("citizen_request", name, schema="recognition")
