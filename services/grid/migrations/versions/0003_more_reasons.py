"""Tasks of every reason: what exactly they are about, how urgent, and the mornings that were told."""

from alembic import op

revision = "grid_0003"
down_revision = "grid_0002"
branch_labels = None
depends_on = None

_ACTIONS = (
    "'detected', 'merged', 'evidence_added', 'assigned', 'visited', 'finding', 'returned', 'reviewed', "
    "'second_visit', 'recused', 'concluded'"
)


def upgrade() -> None:
    op.execute("ALTER TABLE grid.tasks ADD COLUMN about TEXT[] DEFAULT '{}' NOT NULL, ADD COLUMN ordered_on DATE")
    op.execute("COMMENT ON COLUMN grid.tasks.about IS 'what exactly: rules, draws'")
    op.execute("COMMENT ON COLUMN grid.tasks.ordered_on IS 'day scoring was last asked how urgent it is'")
    op.execute("CREATE INDEX ix_tasks_unordered ON grid.tasks (subject) WHERE state <> 'closed' AND ordered_on IS NULL")
    op.execute(
        "CREATE TABLE grid.workdays (day DATE NOT NULL, planned_at TIMESTAMP WITH TIME ZONE NOT NULL, "
        "CONSTRAINT pk_workdays PRIMARY KEY (day))"
    )
    op.execute("COMMENT ON TABLE grid.workdays IS 'mornings whose work has been told'")
    _allow(_ACTIONS + ", 'decided'")


def downgrade() -> None:
    op.execute("DELETE FROM grid.case_steps WHERE action = 'decided'")
    _allow(_ACTIONS)
    op.execute("DROP TABLE grid.workdays")
    op.execute("ALTER TABLE grid.tasks DROP COLUMN ordered_on, DROP COLUMN about")


def _allow(actions: str) -> None:
    op.execute("ALTER TABLE grid.case_steps DROP CONSTRAINT ck_case_steps_action")
    op.execute(f"ALTER TABLE grid.case_steps ADD CONSTRAINT ck_case_steps_action CHECK (action IN ({actions}))")
