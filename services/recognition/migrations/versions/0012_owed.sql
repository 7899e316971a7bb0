ALTER TABLE recognition.enrolment ADD COLUMN decision_owed BOOLEAN NOT NULL DEFAULT false;

COMMENT ON COLUMN recognition.enrolment.decision_owed IS 'what people found waits for a decision in this program; kept by trigger';

CREATE INDEX ix_enrolment_decision_owed ON recognition.enrolment (subject) WHERE decision_owed;

CREATE FUNCTION recognition.decision_owed(of_subject uuid, of_program text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM recognition.proposal p LEFT JOIN recognition.decision d ON d.proposal_id = p.proposal_id
        WHERE p.subject = of_subject AND p.program = of_program AND p.effect <> 'continue'
            AND (p.origin IN ('case', 'report') OR p.origin = 'stop_request' AND p.reason <> 'own_request')
            AND (p.state IN ('open', 'decided') OR d.state = 'notice'
                 OR d.state = 'effective' AND d.effect = 'change_payee')
    )
$$;

COMMENT ON FUNCTION recognition.decision_owed IS 'Whether a finding waits for officers: proposed, decided by one, announced, or the payee not changed yet';

CREATE FUNCTION recognition.note_decision_owed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE recognition.enrolment e SET decision_owed = NOT e.decision_owed
    WHERE e.subject = NEW.subject AND e.program = NEW.program
        AND e.decision_owed <> recognition.decision_owed(NEW.subject, NEW.program);
    RETURN NULL;
END
$$;

CREATE TRIGGER owed AFTER INSERT OR UPDATE OF state ON recognition.proposal
FOR EACH ROW WHEN (NEW.origin IN ('case', 'report', 'stop_request')) EXECUTE FUNCTION recognition.note_decision_owed();

CREATE TRIGGER owed AFTER INSERT OR UPDATE OF state ON recognition.decision
FOR EACH ROW EXECUTE FUNCTION recognition.note_decision_owed();

UPDATE recognition.enrolment e SET decision_owed = true
FROM (SELECT DISTINCT subject, program FROM recognition.proposal) p
WHERE e.subject = p.subject AND e.program = p.program AND recognition.decision_owed(p.subject, p.program);

ALTER TABLE recognition.citizen_request ADD COLUMN passed_on_at TIMESTAMP WITH TIME ZONE;

COMMENT ON COLUMN recognition.citizen_request.passed_on_at IS 'when grid was asked; null while no roster lists the person';

UPDATE recognition.citizen_request r SET passed_on_at = requested_at
WHERE kind = 'visit' OR EXISTS (SELECT FROM recognition.enrolment e WHERE e.subject = r.subject AND e.received_at <= r.requested_at);

CREATE INDEX ix_citizen_request_waiting ON recognition.citizen_request (subject)
WHERE passed_on_at IS NULL AND concluded_at IS NULL;

ALTER TABLE recognition.due ADD COLUMN said_on DATE;

UPDATE recognition.due SET said_on = run_on;

ALTER TABLE recognition.due ALTER COLUMN said_on SET NOT NULL;

COMMENT ON COLUMN recognition.due.said_on IS 'day of the run that last told of the person';

CREATE FUNCTION recognition.due_step(due_on date, today date) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN due_on - today <= 30 THEN 1 WHEN due_on - today <= 60 THEN 2 ELSE 3 END
$$;

COMMENT ON FUNCTION recognition.due_step IS 'Step of a reminder: within thirty days of the end, within sixty, before; as notify tells them';

ALTER TABLE recognition.standing ALTER COLUMN under_review SET EXPRESSION AS
(COALESCE(decision = 'suspected' AND said_at > COALESCE(GREATEST(cleared_at, confirmed_at), '-infinity'), false))
