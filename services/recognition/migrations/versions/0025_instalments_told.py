"""Instalments agreed, due and come back are told: three more kinds of notice."""

from alembic import op

revision = "recognition_0025"
down_revision = "recognition_0024"
branch_labels = None
depends_on = None

_BEFORE = (
    "'intended_stop', 'suspended', 'resumed', 'withdrawn', 'terminated', 'reduced', 'payee_change', 'arrears', "
    "'refund', 'apology', 'answered'"
)


def upgrade() -> None:
    """A longer list lets everything in that the version before writes."""
    _allow(f"{_BEFORE}, 'plan_agreed', 'instalment_due', 'repaid'")


def downgrade() -> None:
    _allow(_BEFORE)


def _allow(kinds: str) -> None:
    # Without a look at what is there, which was held to a shorter list: the next migration looks.
    op.execute("""
        -- squawk-ignore ban-drop-constraint
        ALTER TABLE recognition.notice DROP CONSTRAINT ck_notice_kind
    """)
    op.execute(f"ALTER TABLE recognition.notice ADD CONSTRAINT ck_notice_kind CHECK (kind IN ({kinds})) NOT VALID")
