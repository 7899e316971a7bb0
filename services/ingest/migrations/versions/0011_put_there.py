"""Since when a fetched file had lain there: an older roster may be put there after a newer one has gone."""

from alembic import op

revision = "ingest_0011"
down_revision = "ingest_0010"

STATEMENTS = (
    "ALTER TABLE ingest.pulled ADD COLUMN put_at timestamptz",
    "COMMENT ON COLUMN ingest.pulled.put_at IS 'since when it had lain there; null: unknown'",
)


def upgrade() -> None:
    """The version before leaves it empty."""
    for statement in STATEMENTS:
        op.execute(statement)
