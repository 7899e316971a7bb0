"""Which days' rounds have been gone: a service that starts again at noon does not go the morning's round once more."""

from alembic import op

revision = "grid_0011"
down_revision = "grid_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE grid.rounds (day DATE NOT NULL, CONSTRAINT pk_rounds PRIMARY KEY (day))")
    op.execute("COMMENT ON COLUMN grid.rounds.day IS 'business day whose round has been gone'")


def downgrade() -> None:
    op.execute("DROP TABLE grid.rounds")
