"""Partners' events, their endpoints, and what is posted to them."""

from pathlib import Path

from alembic import op

revision = "notify_0003"
down_revision = "notify_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())


def downgrade() -> None:
    for table in ("post", "endpoint", "partner_event"):
        op.execute(f"DROP TABLE notify.{table}")
