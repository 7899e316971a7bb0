"""What a message tells of and where it belongs to; what was handed over and not answered for."""

from alembic import op

revision = "notify_0002"
down_revision = "notify_0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE notify.message ADD COLUMN division TEXT",
    "ALTER TABLE notify.message ADD COLUMN about UUID",
    "COMMENT ON COLUMN notify.message.division IS 'where it belongs to, if it is about no person; prefix of 12 digits'",
    "COMMENT ON COLUMN notify.message.about IS 'notice or event it tells of; null for a merged message'",
    "COMMENT ON COLUMN notify.message.recipient IS 'department, grid member or partner, for such an audience'",
    (
        "COMMENT ON COLUMN notify.delivery.personal IS "
        "'to the person himself; once he is recorded as dead it is refused, a legal one goes to the family'"
    ),
    "CREATE INDEX ix_delivery_handed ON notify.delivery (channel, handed_at) WHERE status = 'handed'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX notify.ix_delivery_handed")
    op.execute("ALTER TABLE notify.message DROP COLUMN about, DROP COLUMN division")
