"""One log of looks: who saw which photo stands with who was told what about whom, and so does who read a request."""

from alembic import op

revision = "grid_0015"
down_revision = "grid_0014"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE grid.readings ADD COLUMN request_id UUID, ADD COLUMN shown BOOLEAN NOT NULL DEFAULT true",
    """-- squawk-ignore ban-drop-not-null
    ALTER TABLE grid.readings ALTER COLUMN subject DROP NOT NULL""",
    """-- squawk-ignore ban-drop-constraint
    ALTER TABLE grid.readings DROP CONSTRAINT ck_readings_what""",
    """ALTER TABLE grid.readings ADD CONSTRAINT ck_readings_what
    CHECK (what IN ('person', 'visit', 'case', 'photo', 'stop_request', 'log')) NOT VALID""",
    """INSERT INTO grid.readings (at, client_id, "user", role, what, subject, visit_id, shown)
    SELECT l.at, l.client_id, l."user", l.role, 'photo', v.subject, l.visit_id, l.shown
    FROM grid.looks l LEFT JOIN grid.visits v USING (visit_id) ORDER BY l.seq""",
    "DELETE FROM grid.looks",
    # The version before goes on writing there while both serve.
    """CREATE FUNCTION grid.look_is_read() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO grid.readings (at, client_id, "user", role, what, subject, visit_id, shown)
        VALUES (NEW.at, NEW.client_id, NEW."user", NEW.role, 'photo',
            (SELECT subject FROM grid.visits v WHERE v.visit_id = NEW.visit_id), NEW.visit_id, NEW.shown);
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER read_instead BEFORE INSERT ON grid.looks
    FOR EACH ROW EXECUTE FUNCTION grid.look_is_read()""",
    "COMMENT ON TABLE grid.readings IS 'who was told or shown what about whom; refusals too'",
    "COMMENT ON COLUMN grid.readings.subject IS 'null where the log was read, or a photo asked for that nobody sent'",
    "COMMENT ON TABLE grid.looks IS 'empty: what the version before writes here stands in readings'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER read_instead ON grid.looks")
    op.execute("DROP FUNCTION grid.look_is_read()")
    op.execute("DELETE FROM grid.readings WHERE what = 'log' OR subject IS NULL")
    op.execute(
        'INSERT INTO grid.looks (at, client_id, "user", role, visit_id, shown) '
        """SELECT at, client_id, "user", role, visit_id, shown FROM grid.readings WHERE what = 'photo'"""
    )
    op.execute("DELETE FROM grid.readings WHERE what IN ('photo', 'stop_request')")
    op.execute("ALTER TABLE grid.readings DROP CONSTRAINT ck_readings_what")
    op.execute("ALTER TABLE grid.readings ADD CONSTRAINT ck_readings_what CHECK (what IN ('person', 'visit', 'case'))")
    op.execute("ALTER TABLE grid.readings DROP COLUMN request_id, DROP COLUMN shown, ALTER COLUMN subject SET NOT NULL")
