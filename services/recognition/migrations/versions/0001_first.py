"""Clients, enrolments, standings, certificates, proposals and decisions, runs, usage log."""

from pathlib import Path

from alembic import op

from shared.kit.migrations import create_platform_tables

revision = "recognition_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_platform_tables("recognition")
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())


def downgrade() -> None:
    op.execute("DROP SCHEMA recognition CASCADE")
    op.execute("CREATE SCHEMA recognition")
