"""Payments, as programs confirm them: partitioned by the month they were paid for."""

from alembic import op

revision = "recognition_0002"
down_revision = "recognition_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE recognition.payment (
            subject uuid NOT NULL,
            program text NOT NULL,
            month date NOT NULL,
            payrun_id uuid NOT NULL,
            amount_fen bigint NOT NULL,
            paid_on date NOT NULL,
            recorded_at timestamptz NOT NULL,
            CONSTRAINT pk_payment PRIMARY KEY (subject, program, month, payrun_id),
            CONSTRAINT ck_payment_amount CHECK (amount_fen > 0),
            CONSTRAINT ck_payment_month CHECK (extract(day FROM month) = 1)
        ) PARTITION BY RANGE (month)
    """)
    op.execute("CREATE INDEX ix_payment_program_month ON recognition.payment (program, month)")
    op.execute("COMMENT ON TABLE recognition.payment IS 'Payments a program confirmed, one a person, month and list'")
    op.execute("CREATE TABLE recognition.payment_rest PARTITION OF recognition.payment DEFAULT")


def downgrade() -> None:
    op.execute("DROP TABLE recognition.payment")
