"""What people write of corrections, objections and requests is sealed: it names those it is about."""

from alembic import op

revision = "recognition_0018"
down_revision = "recognition_0017"
branch_labels = None
depends_on = None

SEALED = (
    ("correction", "reason", "what was written", "correction"),
    ("correction", "answer", "what the department wrote", "correction"),
    ("objection", "said", "what the person wrote", "objection"),
    ("objection", "answer", "what the officer wrote", "objection"),
    ("citizen_request", "reason", "what somebody wrote", "request"),
)
CODES = (
    ("correction", "reason", "a code; what somebody wrote stands in sealed_reason"),
    ("correction", "answer", "a code; why the department refused stands in sealed_answer"),
    ("objection", "said", "a code; the person''s words stand in sealed_said"),
    ("objection", "answer", "a code; the officer''s words stand in sealed_answer"),
    ("citizen_request", "reason", "a code; what people wrote stands in sealed_reason"),
)
BEFORE = {
    ("correction", "answer"): "'why the department refused'",
    ("objection", "said"): "'in the person''s words, id numbers masked'",
}


def upgrade() -> None:
    """The version before reads on beside it: a code where there were words."""
    for table, column, what, about in SEALED:
        op.execute(f"ALTER TABLE recognition.{table} ADD COLUMN sealed_{column} BYTEA")
        op.execute(
            f"COMMENT ON COLUMN recognition.{table}.sealed_{column} IS 'AES-GCM of {what}, bound to the {about}'"
        )
    for table, column, comment in CODES:
        op.execute(f"COMMENT ON COLUMN recognition.{table}.{column} IS '{comment}'")


def downgrade() -> None:
    for table, column, _, _ in SEALED:
        op.execute(f"ALTER TABLE recognition.{table} DROP COLUMN sealed_{column}")
        op.execute(f"COMMENT ON COLUMN recognition.{table}.{column} IS {BEFORE.get((table, column), 'NULL')}")
