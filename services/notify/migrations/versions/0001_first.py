"""Contacts, people who must not be written to, preferences, messages, deliveries, looks."""

from pathlib import Path

from alembic import op

from shared.kit.migrations import create_platform_tables

revision = "notify_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_platform_tables("notify")
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())


def downgrade() -> None:
    op.execute("DROP SCHEMA notify CASCADE")
    op.execute("CREATE SCHEMA notify")
