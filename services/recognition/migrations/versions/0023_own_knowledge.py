"""Officers open proposals of their own knowledge, and clerks certify who stands at their counter."""

from alembic import op

revision = "recognition_0023"
down_revision = "recognition_0022"
branch_labels = None
depends_on = None

_ORIGINS = "'case', 'report', 'double_receipt', 'overdue', 'stop_request'"
_METHODS = "'onsite', 'home', 'video', 'other_region', 'consulate'"
_COMMENTS = {
    "proposal.opened_by": "officer who opened it of his own knowledge",
    "proposal.sealed_ground": "what he knows, in his words; sealed for the proposal",
    "peer_certificate.id_check": "how a clerk at a counter made sure who it was",
}


def upgrade() -> None:
    """Longer lists let everything in that the version before writes."""
    op.execute("ALTER TABLE recognition.proposal ADD COLUMN opened_by TEXT, ADD COLUMN sealed_ground BYTEA")
    op.execute("ALTER TABLE recognition.peer_certificate ADD COLUMN id_check TEXT")
    for column, comment in _COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN recognition.{column} IS '{comment}'")
    _drop("proposal", "origin")
    _add("proposal", "origin", f"origin IN ({_ORIGINS}, 'officer')")
    _add("proposal", "opened_by", "(origin = 'officer') = (opened_by IS NOT NULL)")
    _drop("peer_certificate", "method")
    _add("peer_certificate", "method", f"method IN ({_METHODS}, 'counter')")
    _add("peer_certificate", "id_check", "id_check IN ('id_card_read', 'face_compared', 'social_card_read')")
    _add("peer_certificate", "counter", "(method = 'counter') = (id_check IS NOT NULL)")


def downgrade() -> None:
    for table, name in (("peer_certificate", "counter"), ("peer_certificate", "method"), ("proposal", "origin")):
        _drop(table, name)
    op.execute("ALTER TABLE recognition.peer_certificate DROP COLUMN id_check")
    op.execute("ALTER TABLE recognition.proposal DROP COLUMN opened_by, DROP COLUMN sealed_ground")
    _add("peer_certificate", "method", f"method IN ({_METHODS})")
    _add("proposal", "origin", f"origin IN ({_ORIGINS})")


def _drop(table: str, name: str) -> None:
    op.execute(f"""
        -- squawk-ignore ban-drop-constraint
        ALTER TABLE recognition.{table} DROP CONSTRAINT ck_{table}_{name}
    """)


def _add(table: str, name: str, rule: str) -> None:
    # Without a look at what is there, which was held to a shorter list.
    op.execute(f"ALTER TABLE recognition.{table} ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID")
