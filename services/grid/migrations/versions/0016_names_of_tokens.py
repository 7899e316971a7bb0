"""How an office's tokens call people of the grid stands with them, so that nobody is two pairs of eyes."""

from alembic import op

revision = "grid_0016"
down_revision = "grid_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """CREATE TABLE grid.worker_users (
    user_key BYTEA NOT NULL,
    worker_id TEXT NOT NULL,
    CONSTRAINT pk_worker_users PRIMARY KEY (user_key)
)"""
    )
    op.execute("COMMENT ON COLUMN grid.worker_users.user_key IS 'keyed hash of how tokens call him'")
    op.execute(
        "COMMENT ON TABLE grid.worker_users IS "
        "'people whom tokens of an office do not call by their ids, so that nobody is two'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE grid.worker_users")
