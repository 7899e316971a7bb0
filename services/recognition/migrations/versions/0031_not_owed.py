"""More is told: what is not owed, what goes to an enforcer, what is off; what had come before a plan is kept."""

from alembic import op

revision = "recognition_0031"
down_revision = "recognition_0030"
branch_labels = None
depends_on = None

_BEFORE = (
    "'intended_stop', 'suspended', 'resumed', 'withdrawn', 'terminated', 'reduced', 'payee_change', 'arrears', "
    "'refund', 'plan_agreed', 'instalment_due', 'repaid', 'apology', 'answered'"
)


def upgrade() -> None:
    """A longer list lets everything in that the version before writes."""
    _allow(f"{_BEFORE}, 'other_stands', 'not_owed', 'referred'")
    op.execute("ALTER TABLE recognition.overpayment ADD COLUMN plan_agreed_at timestamptz")
    op.execute("ALTER TABLE recognition.overpayment ADD COLUMN plan_before_fen bigint")
    op.execute(
        "COMMENT ON COLUMN recognition.overpayment.plan_before_fen IS "
        "'what had come back or been given up when the plan was agreed'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE recognition.overpayment DROP COLUMN plan_before_fen")
    op.execute("ALTER TABLE recognition.overpayment DROP COLUMN plan_agreed_at")
    _allow(_BEFORE)


def _allow(kinds: str) -> None:
    # Without a look at what is there, which was held to a shorter list: the next migration looks.
    op.execute("""
        -- squawk-ignore ban-drop-constraint
        ALTER TABLE recognition.notice DROP CONSTRAINT ck_notice_kind
    """)
    op.execute(f"ALTER TABLE recognition.notice ADD CONSTRAINT ck_notice_kind CHECK (kind IN ({kinds})) NOT VALID")
