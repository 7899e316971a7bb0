"""Certificates that were revoked; who may not do a task, who had it before, and who documented its end."""

from alembic import op

revision = "grid_0009"
down_revision = "grid_0008"
branch_labels = None
depends_on = None

STATEMENTS = (
    """ALTER TABLE grid.certified ADD COLUMN certificate_id UUID,
    ADD COLUMN said_at TIMESTAMP WITH TIME ZONE DEFAULT 'epoch' NOT NULL""",
    "COMMENT ON COLUMN grid.certified.certificate_id IS 'null where it was heard of before this was kept'",
    "COMMENT ON COLUMN grid.certified.said_at IS 'an older word changes nothing'",
    """COMMENT ON TABLE grid.certified IS
    'the certificate told last: a task due before it ends is moot, whichever comes first'""",
    """CREATE TABLE grid.revoked_certificates (
    certificate_id UUID NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_revoked_certificates PRIMARY KEY (certificate_id)
)""",
    "COMMENT ON TABLE grid.revoked_certificates IS 'certificates that do not hold, heard of or not'",
    """ALTER TABLE grid.tasks ADD COLUMN closed_by TEXT, ADD COLUMN not_by TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN reopened_at TIMESTAMP WITH TIME ZONE""",
    "COMMENT ON COLUMN grid.tasks.closed_by IS 'the person who documented the end, where one did'",
    "COMMENT ON COLUMN grid.tasks.not_by IS 'who may not do it: other eyes'",
    "COMMENT ON COLUMN grid.tasks.reopened_at IS 'visits before this instant do not answer it'",
    """UPDATE grid.tasks t SET not_by = ARRAY[v.worker_id] FROM grid.visits v
    WHERE t.state <> 'closed' AND t.about @> '{second_look}' AND v.visit_id::text = t.opened_by""",
    """CREATE TABLE grid.task_hands (
    task_id UUID NOT NULL,
    worker_id TEXT NOT NULL,
    until_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_task_hands PRIMARY KEY (task_id, worker_id, until_at)
)""",
    "COMMENT ON TABLE grid.task_hands IS 'who had a task before: his phone may still tell what he found then'",
    """COMMENT ON COLUMN grid.cases.event_on IS
    'as found; until then the earliest day that registers and visits now name'""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE grid.task_hands")
    op.execute("ALTER TABLE grid.tasks DROP COLUMN closed_by, DROP COLUMN not_by, DROP COLUMN reopened_at")
    op.execute("DROP TABLE grid.revoked_certificates")
    op.execute("ALTER TABLE grid.certified DROP COLUMN certificate_id, DROP COLUMN said_at")
