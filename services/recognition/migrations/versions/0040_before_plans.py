"""What had come before a plan that was agreed before this was kept is worked out once, and moves no more."""

from typing import Final

from alembic import op

revision = "recognition_0040"
down_revision = "recognition_0039"
branch_labels = None
depends_on = None

# As it is worked out on reading: where more was gathered since, nothing knows better.
BEFORE: Final = """
UPDATE recognition.overpayment o SET plan_before_fen = o.due_fen - s.whole
FROM (SELECT overpayment_id, sum(amount_fen) AS whole FROM recognition.instalment GROUP BY overpayment_id) s
WHERE s.overpayment_id = o.overpayment_id AND o.plan_before_fen IS NULL
"""


def upgrade() -> None:
    op.execute(BEFORE)


def downgrade() -> None:
    """The version before reads the same rows."""
