ALTER TABLE recognition.due ADD COLUMN task_id UUID;

ALTER TABLE recognition.due ADD COLUMN task_due_on DATE;

COMMENT ON COLUMN recognition.due.task_id IS 'task grid opened for the person';

COMMENT ON COLUMN recognition.due.task_due_on IS 'day by which somebody is to have knocked';

CREATE TABLE recognition.grace (
    grace_id UUID NOT NULL, 
    program TEXT, 
    subject UUID, 
    from_on DATE NOT NULL, 
    until_on DATE NOT NULL, 
    reason TEXT NOT NULL, 
    said TEXT NOT NULL, 
    given_by TEXT NOT NULL, 
    given_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_grace PRIMARY KEY (grace_id), 
    CONSTRAINT ck_grace_reason CHECK (reason IN ('run_late', 'source_silent', 'visit_late', 'outage')), 
    CONSTRAINT ck_grace_days CHECK (until_on >= from_on), 
    CONSTRAINT ck_grace_named CHECK (length(given_by) > 0)
);

CREATE INDEX ix_grace_until_on ON recognition.grace (until_on);

COMMENT ON TABLE recognition.grace IS 'Days in which nobody is stopped for lateness because the platform itself was late; rows are never changed';

COMMENT ON COLUMN recognition.grace.program IS 'null: every program';

COMMENT ON COLUMN recognition.grace.subject IS 'null: everybody';

COMMENT ON COLUMN recognition.grace.given_by IS 'an officer, an operator, or the platform itself';

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON recognition.grace
FOR EACH ROW EXECUTE FUNCTION recognition.refuse_change();

CREATE FUNCTION recognition.grace_until(of_subject uuid, of_program text, today date) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT max(until_on) FROM recognition.grace
    WHERE until_on >= today AND from_on <= today
        AND (program IS NULL OR program = of_program) AND (subject IS NULL OR subject = of_subject)
$$;

COMMENT ON FUNCTION recognition.grace_until IS 'Last day on which lateness stops nobody; null where there is no grace';

CREATE FUNCTION recognition.cycle_state(
    status text, under_review boolean, certified_until date, until date, run_on date, task boolean, grace boolean,
    today date, warning_days integer
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN status IN ('suspended', 'terminated') THEN 'suspended'
        WHEN under_review THEN 'suspected'
        WHEN certified_until > today + warning_days THEN 'certified'
        WHEN until > today + warning_days THEN 'due_far'
        WHEN run_on IS NULL THEN 'warning'
        WHEN until < today AND NOT grace THEN 'overdue'
        WHEN task THEN 'task_open'
        ELSE 'unmatched'
    END
$$;

COMMENT ON FUNCTION recognition.cycle_state IS 'Where a person stands in the certification cycle of a program; the same as domain/cycles.py'
