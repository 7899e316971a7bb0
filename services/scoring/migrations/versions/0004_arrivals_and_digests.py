"""When batches came, and the content of the rules that opinions hold under.

A back-test counts evidence from the day it was there, not from the day of its event; a rule set that was edited in
place forms opinions anew.
"""

from alembic import op

revision = "scoring_0004"
down_revision = "scoring_0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE scoring.arrival (
    shard SMALLINT NOT NULL,
    batch INTEGER NOT NULL,
    received_on DATE NOT NULL,
    CONSTRAINT pk_arrival PRIMARY KEY (shard, batch),
    CONSTRAINT ck_arrival_shard CHECK (shard BETWEEN 0 AND 15)
)""",
    """COMMENT ON TABLE scoring.arrival IS
    'When batches came, so that a back-test knows no evidence before it was there'""",
    "COMMENT ON COLUMN scoring.arrival.batch IS 'upper half of its evidence ids'",
    "ALTER TABLE scoring.shard_head ADD COLUMN rules_digest TEXT",
    """COMMENT ON COLUMN scoring.shard_head.rules_digest IS
    'fingerprint of their content: a file may be edited in place'""",
)


def upgrade() -> None:
    """The version before runs on beside it; evidence it sweeps counts from the day of its event.

    Every opinion is formed anew once, for nobody knows the content of the rules it was formed by.
    """
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Back-tests count all evidence from the day of its event again."""
    op.execute("DROP TABLE scoring.arrival")
    op.execute("ALTER TABLE scoring.shard_head DROP COLUMN rules_digest")
