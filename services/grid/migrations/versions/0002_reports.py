"""Monthly reports of villages."""

from alembic import op

revision = "grid_0002"
down_revision = "grid_0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """CREATE TABLE grid.reports (
    division TEXT NOT NULL,
    month DATE NOT NULL,
    state TEXT NOT NULL,
    suspected UUID[] NOT NULL,
    confirmed UUID[] NOT NULL,
    zero BOOLEAN NOT NULL,
    submitted_by TEXT NOT NULL,
    submitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    checked_by TEXT,
    checked_at TIMESTAMP WITH TIME ZONE,
    signed_by TEXT,
    signed_at TIMESTAMP WITH TIME ZONE,
    accepted_by TEXT,
    accepted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_reports PRIMARY KEY (division, month),
    CONSTRAINT ck_reports_state CHECK (state IN ('draft', 'suspected_list_submitted', 'township_checked',
        'confirmed_list_signed', 'locked')),
    CONSTRAINT ck_reports_division CHECK (division ~ '^[0-9]{12}$'),
    CONSTRAINT ck_reports_month CHECK (extract(day FROM month) = 1),
    CONSTRAINT ck_reports_zero CHECK (zero = (cardinality(suspected) + cardinality(confirmed) = 0)),
    CONSTRAINT ck_reports_four_eyes CHECK (checked_by <> submitted_by AND accepted_by <> checked_by),
    CONSTRAINT ck_reports_locked CHECK (state <> 'locked' OR (signed_at IS NOT NULL AND accepted_at IS NOT NULL))
)""",
    """COMMENT ON TABLE grid.reports IS 'what a village reports each month, zero reports included'""",
    """COMMENT ON COLUMN grid.reports.month IS 'first day of the month reported on'""",
    """COMMENT ON COLUMN grid.reports.suspected IS 'cases under way at the end'""",
    """COMMENT ON COLUMN grid.reports.confirmed IS 'cases confirmed in the month'""",
    """COMMENT ON COLUMN grid.reports.zero IS 'signed statement that there is nothing to report'""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE grid.reports")
