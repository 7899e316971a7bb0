"""Whom people found alive stands among the records of his death, with the day on which he lived."""

from alembic import op

revision = "notify_0011"
down_revision = "notify_0010"
branch_labels = None
depends_on = None


_COMMENTS = {
    "do_not_write.lifted_at": "newest conclusion that the person lives, where no record stands",
    "death_record.record_id": "suspicion, visit, request, case or finding",
    "death_record.stands": "false: a bare hint, taken back, or of no death",
    "death_record.since": "day of the death, or on which he was known to live",
    "death_record.reason": "alive: people found that he lived",
}
_BEFORE = {
    "do_not_write.lifted_at": "newest conclusion that the person lives",
    "death_record.record_id": "suspicion, visit, request or case that says so",
    "death_record.stands": "false: a bare hint, or taken back",
    "death_record.since": "",
    "death_record.reason": "",
}


def upgrade() -> None:
    op.execute("""
        INSERT INTO notify.death_record (subject, record_id, revision, stands, reason, recorded_at)
        SELECT subject, gen_random_uuid(), 0, false, 'alive', lifted_at FROM notify.do_not_write
        WHERE lifted_at IS NOT NULL
    """)
    _comment(_COMMENTS)


def downgrade() -> None:
    _comment(_BEFORE)
    op.execute("DELETE FROM notify.death_record WHERE reason = 'alive'")


def _comment(comments: dict[str, str]) -> None:
    for column, text in comments.items():
        op.execute(f"COMMENT ON COLUMN notify.{column} IS '{text}'")
