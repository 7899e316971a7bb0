"""Origins, signals, shard heads, assessments, suspicions, reassessments, looks."""

from pathlib import Path

from alembic import op

from shared.kit.migrations import create_platform_tables

revision = "scoring_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_platform_tables("scoring")
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())


def downgrade() -> None:
    op.execute("DROP SCHEMA scoring CASCADE")
    op.execute("CREATE SCHEMA scoring")
