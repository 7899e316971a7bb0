"""Notices and their attempts, objections, overpayments, requests of citizens, sessions by face."""

from pathlib import Path

from alembic import op

revision = "recognition_0003"
down_revision = "recognition_0006"
branch_labels = None
depends_on = None

TABLES = (
    "case_correction",
    "face_assertion",
    "face_session",
    "citizen_request",
    "objection",
    "notice",
    "instalment",
    "recovery",
    "overpaid",
    "overpayment",
)


def upgrade() -> None:
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n\n"):
        op.execute(statement.strip())


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE recognition.{table}")
    op.execute("DROP INDEX recognition.ix_proof_of_notice_notice_id")
    op.execute("ALTER TABLE recognition.proof_of_notice DROP notice_id, DROP outcome, DROP reason")
    op.execute("ALTER TABLE recognition.proposal DROP origin, DROP origin_id")
    op.execute("ALTER TABLE recognition.finding DROP evidence_ids")
