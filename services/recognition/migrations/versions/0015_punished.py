"""A case about custody finds a punishment too: some rules name that, and not the prison."""

from alembic import op

revision = "recognition_0015"
down_revision = "recognition_0014"
branch_labels = None
depends_on = None

_FINDS = """
CREATE OR REPLACE FUNCTION recognition.finds(of_kind text, of_reason text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT of_reason = ANY (CASE of_kind
        WHEN 'suspected_death' THEN '{{death,declared_dead}}'::text[]
        WHEN 'conflict' THEN '{{death,declared_dead}}'::text[]
        WHEN 'suspected_incarceration' THEN '{{{custody}}}'::text[]
        WHEN 'suspected_missing' THEN '{{missing}}'::text[]
        ELSE ARRAY[of_kind]
    END)
$$
"""


def upgrade() -> None:
    """What is found untrue takes back what the version before proposes, and more."""
    op.execute(_FINDS.format(custody="imprisonment,detention,criminal_punishment"))


def downgrade() -> None:
    op.execute(_FINDS.format(custody="imprisonment,detention"))
