"""The longer lists of origins and methods hold for what was there before them, too."""

from alembic import op

revision = "recognition_0024"
down_revision = "recognition_0023"
branch_labels = None
depends_on = None

_LISTS = ("proposal.origin", "proposal.opened_by", "peer_certificate.method", "peer_certificate.id_check",
          "peer_certificate.counter")  # fmt: skip


def upgrade() -> None:
    """Reads and writes go on beside it."""
    for table, name in (each.split(".") for each in _LISTS):
        op.execute(f"ALTER TABLE recognition.{table} VALIDATE CONSTRAINT ck_{table}_{name}")


def downgrade() -> None:
    """There is nothing to take back: a list that was looked through is the same list."""
