"""What recognition's programs are called, for texts."""

from alembic import op

revision = "notify_0006"
down_revision = "notify_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE notify.program_label (
            code text NOT NULL, label text NOT NULL, CONSTRAINT pk_program_label PRIMARY KEY (code)
        )
    """)
    op.execute("COMMENT ON TABLE notify.program_label IS 'labels of programs as recognition last told them'")


def downgrade() -> None:
    op.execute("DROP TABLE notify.program_label")
