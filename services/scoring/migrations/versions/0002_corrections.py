"""Corrections and hints: suspicions can be withdrawn, an origin says how many people a record may mean."""

from alembic import op

revision = "scoring_0002"
down_revision = "scoring_0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE scoring.suspicion DROP CONSTRAINT ck_suspicion_status",
    """ALTER TABLE scoring.suspicion ADD CONSTRAINT ck_suspicion_status
        CHECK (status IN ('open', 'confirmed', 'refuted', 'withdrawn'))""",
    "ALTER TABLE scoring.origin ADD COLUMN candidates SMALLINT DEFAULT 1 NOT NULL",
    "COMMENT ON COLUMN scoring.origin.candidates IS 'whom a record may mean'",
    "ALTER TABLE scoring.origin DROP CONSTRAINT uq_origin_source_department_strong",
    """ALTER TABLE scoring.origin ADD CONSTRAINT uq_origin_source_department_strong_candidates
        UNIQUE (source, department, strong, candidates)""",
)


def upgrade() -> None:
    """The version before runs on beside it: it never withdraws, and its origins mean one person."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Without hints and corrections there is nothing that the version before could read: it must not go back."""
    msg = "signals of corrections and hints cannot be read by the version before"
    raise NotImplementedError(msg)
