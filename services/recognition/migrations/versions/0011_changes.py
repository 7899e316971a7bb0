"""People are told of what lowers a benefit or changes who draws it, too."""

from alembic import op

revision = "recognition_0011"
down_revision = "recognition_0010"
branch_labels = None
depends_on = None

_KINDS = "'intended_stop', 'suspended', 'resumed', 'terminated', {more}'arrears', 'refund', 'apology'"


def upgrade() -> None:
    """A longer list lets everything in that the version before writes."""
    _allow("'reduced', 'payee_change', ")


def downgrade() -> None:
    _allow("")


def _allow(more: str) -> None:
    op.execute("ALTER TABLE recognition.notice DROP CONSTRAINT ck_notice_kind")
    op.execute(
        f"ALTER TABLE recognition.notice ADD CONSTRAINT ck_notice_kind CHECK (kind IN ({_KINDS.format(more=more)}))"
    )
