"""Partners hear of changed amounts and payees, people of the answer to an objection; a request is taken back."""

from alembic import op

revision = "recognition_0019"
down_revision = "recognition_0018"
branch_labels = None
depends_on = None

_NOTICES = (
    "'intended_stop', 'suspended', 'resumed', 'withdrawn', 'terminated', 'reduced', 'payee_change', 'arrears', "
    "'refund', 'apology'"
)
_EVENTS = (
    "'certificate.issued', 'certificate.revoked', 'enrolment.suspended', 'enrolment.resumed', "
    "'enrolment.terminated', 'death.retracted', 'correction.changed'"
)
_FINDS = """
CREATE OR REPLACE FUNCTION recognition.finds(of_kind text, of_reason text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT of_reason = ANY (CASE of_kind
        WHEN 'suspected_death' THEN '{{{death}}}'::text[]
        WHEN 'conflict' THEN '{{{death}}}'::text[]
        WHEN 'suspected_incarceration' THEN '{{imprisonment,detention,criminal_punishment}}'::text[]
        WHEN 'suspected_missing' THEN '{{missing}}'::text[]
        ELSE ARRAY[of_kind]
    END)
$$
"""


def upgrade() -> None:
    """Longer lists let everything in that the version before writes."""
    _allow("notice", f"{_NOTICES}, 'answered'")
    _allow("partner_event", f"{_EVENTS}, 'enrolment.changed'")
    op.execute(_FINDS.format(death="death,declared_dead,household_extinct"))
    op.execute("ALTER TABLE recognition.citizen_request ADD COLUMN withdrawn_at TIMESTAMP WITH TIME ZONE")
    op.execute(
        "COMMENT ON COLUMN recognition.citizen_request.withdrawn_at IS "
        "'when the person took it back; what it led to waits for an officer'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE recognition.citizen_request DROP COLUMN withdrawn_at")
    op.execute(_FINDS.format(death="death,declared_dead"))
    _allow("partner_event", _EVENTS)
    _allow("notice", _NOTICES)


def _allow(table: str, kinds: str) -> None:
    # Without a look at what is there, which was held to a shorter list: the next migration looks.
    op.execute(f"""
        -- squawk-ignore ban-drop-constraint
        ALTER TABLE recognition.{table} DROP CONSTRAINT ck_{table}_kind
    """)
    op.execute(f"ALTER TABLE recognition.{table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({kinds})) NOT VALID")
