"""Records of deaths by themselves, so that one can be taken back; what was read, and what was handed over."""

from alembic import op

revision = "notify_0009"
down_revision = "notify_0008"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE notify.death_record (
        subject uuid NOT NULL, record_id uuid NOT NULL, revision integer NOT NULL, stands boolean NOT NULL,
        since date, reason text NOT NULL, recorded_at timestamptz NOT NULL,
        CONSTRAINT pk_death_record PRIMARY KEY (subject, record_id)
    )
    """,
    "COMMENT ON TABLE notify.death_record IS 'what do_not_write is made of'",
    "COMMENT ON COLUMN notify.death_record.record_id IS 'suspicion, visit, request or case that says so'",
    "COMMENT ON COLUMN notify.death_record.revision IS 'the highest one counts'",
    "COMMENT ON COLUMN notify.death_record.stands IS 'false: a bare hint, or taken back'",
    # Which of them said so is not known any more: they stand until people conclude.
    """
    INSERT INTO notify.death_record (subject, record_id, revision, stands, since, reason, recorded_at)
    SELECT subject, subject, 0, true, since, reason, recorded_at FROM notify.do_not_write WHERE recorded_at IS NOT NULL
    """,
    "ALTER TABLE notify.message ADD COLUMN read_at timestamptz",
    "COMMENT ON COLUMN notify.message.read_at IS 'when its person first looked at it there'",
    "ALTER TABLE notify.delivery ADD COLUMN digest bytea",
    "COMMENT ON COLUMN notify.delivery.digest IS 'SHA-256 of title, zero byte and text as they were handed over'",
    "ALTER TABLE notify.do_not_write DROP CONSTRAINT ck_do_not_write_some_record",
    (
        "COMMENT ON COLUMN notify.contact.sealed IS "
        "'AES-GCM of JSON {name, phone, family_phone, card_tail}; opened to send only'"
    ),
    "COMMENT ON COLUMN notify.do_not_write.reason IS 'kind of suspicion, visit, stop_request, or confirmed'",
    (
        "COMMENT ON COLUMN notify.preference.information IS "
        "'false: only legal notices are sent; the inbox keeps the rest'"
    ),
    (
        "COMMENT ON COLUMN notify.delivery.provider IS "
        "'who answered; before that who may have it already, empty: one of them'"
    ),
    "COMMENT ON COLUMN notify.do_not_write.recorded_at IS 'newest record of a death that stands'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM notify.do_not_write WHERE recorded_at IS NULL AND lifted_at IS NULL")
    op.execute(
        "ALTER TABLE notify.do_not_write ADD CONSTRAINT ck_do_not_write_some_record"
        " CHECK (recorded_at IS NOT NULL OR lifted_at IS NOT NULL)"
    )
    op.execute("DROP TABLE notify.death_record")
    op.execute("ALTER TABLE notify.message DROP COLUMN read_at")
    op.execute("ALTER TABLE notify.delivery DROP COLUMN digest")
