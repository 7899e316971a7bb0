CREATE TABLE recognition.assertion (
    client_id TEXT NOT NULL, 
    jti TEXT NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_assertion PRIMARY KEY (client_id, jti)
);

CREATE INDEX ix_assertion_expires_at ON recognition.assertion (expires_at);

COMMENT ON TABLE recognition.assertion IS 'Assertions already used: each gives one token';

CREATE TABLE recognition.certificate (
    subject UUID NOT NULL, 
    certificate_id UUID NOT NULL, 
    claim TEXT NOT NULL, 
    as_of DATE NOT NULL, 
    channel TEXT NOT NULL, 
    strength TEXT NOT NULL, 
    rule_set TEXT NOT NULL, 
    cap_months SMALLINT, 
    evidence_ids BIGINT[] NOT NULL, 
    evidence_class TEXT[] NOT NULL, 
    issued_on DATE NOT NULL, 
    origin UUID, 
    CONSTRAINT pk_certificate PRIMARY KEY (subject, certificate_id), 
    CONSTRAINT ck_certificate_claim CHECK (claim IN ('alive', 'not_in_custody', 'resident_here', 'unmarried', 'not_employed', 'no_other_pension', 'still_disabled', 'income_ok', 'age_in_range')), 
    CONSTRAINT ck_certificate_channel CHECK (channel IN ('data', 'face', 'counter', 'home', 'remote', 'partner')), 
    CONSTRAINT ck_certificate_strength CHECK (strength IN ('strong', 'weak')), 
    CONSTRAINT ck_certificate_cap CHECK (cap_months > 0), 
    CONSTRAINT ck_certificate_as_of CHECK (as_of <= issued_on)
);

COMMENT ON TABLE recognition.certificate IS 'Formal results; rows are never changed, a trigger refuses it';

COMMENT ON COLUMN recognition.certificate.certificate_id IS 'follows from subject, claim, as_of, channel, cap';

COMMENT ON COLUMN recognition.certificate.as_of IS 'day of the event';

COMMENT ON COLUMN recognition.certificate.cap_months IS 'longest validity its rule set allows';

COMMENT ON COLUMN recognition.certificate.evidence_class IS 'classes the person may read';

COMMENT ON COLUMN recognition.certificate.origin IS 'visit, session or peer certificate it came from';

CREATE TABLE recognition.certification_run (
    run_id UUID NOT NULL, 
    run_on DATE NOT NULL, 
    state TEXT NOT NULL, 
    requested_by TEXT NOT NULL, 
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    finished_at TIMESTAMP WITH TIME ZONE, 
    shards_done SMALLINT DEFAULT '0' NOT NULL, 
    due BIGINT DEFAULT '0' NOT NULL, 
    said BIGINT DEFAULT '0' NOT NULL, 
    CONSTRAINT pk_certification_run PRIMARY KEY (run_id), 
    CONSTRAINT ck_certification_run_state CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'))
);

CREATE INDEX ix_certification_run_pending ON recognition.certification_run (requested_at) WHERE state IN ('queued', 'running');

COMMENT ON TABLE recognition.certification_run IS 'Monthly runs that look for people nobody has seen';

COMMENT ON COLUMN recognition.certification_run.due IS 'people whose certification runs out';

COMMENT ON COLUMN recognition.certification_run.said IS 'of them, told of for the first time';

CREATE TABLE recognition.client (
    client_id TEXT NOT NULL, 
    role TEXT NOT NULL, 
    department TEXT, 
    scopes TEXT[] NOT NULL, 
    programs TEXT[] NOT NULL, 
    divisions TEXT[] NOT NULL, 
    jwks JSONB NOT NULL, 
    listed BOOLEAN NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    CONSTRAINT pk_client PRIMARY KEY (client_id)
);

COMMENT ON TABLE recognition.client IS 'Callers the token issuer knows';

COMMENT ON COLUMN recognition.client.department IS 'slug of the department it belongs to';

COMMENT ON COLUMN recognition.client.scopes IS '* stands for every scope';

COMMENT ON COLUMN recognition.client.programs IS '* stands for every program';

COMMENT ON COLUMN recognition.client.divisions IS 'prefixes of division codes; empty or *: everywhere';

COMMENT ON COLUMN recognition.client.jwks IS 'public keys that sign its assertions';

COMMENT ON COLUMN recognition.client.listed IS 'false: no longer in the clients file, gets no token';

CREATE TABLE recognition.due (
    subject UUID NOT NULL, 
    due_on DATE NOT NULL, 
    run_id UUID NOT NULL, 
    run_on DATE NOT NULL, 
    cleared_on DATE, 
    CONSTRAINT pk_due PRIMARY KEY (subject)
);

COMMENT ON TABLE recognition.due IS 'People a run did not find; one row a person and cycle';

COMMENT ON COLUMN recognition.due.due_on IS 'earliest end over the person''s programs';

COMMENT ON COLUMN recognition.due.cleared_on IS 'day a certificate ended it';

CREATE TABLE recognition.finding (
    case_id UUID NOT NULL, 
    subject UUID NOT NULL, 
    kind TEXT NOT NULL, 
    conclusion TEXT NOT NULL, 
    event_on DATE, 
    concluded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    verified_by TEXT NOT NULL, 
    concluded_by TEXT NOT NULL, 
    CONSTRAINT pk_finding PRIMARY KEY (case_id), 
    CONSTRAINT ck_finding_kind CHECK (kind IN ('suspected_death', 'suspected_incarceration', 'suspected_missing', 'duplicate_receipt', 'conflict')), 
    CONSTRAINT ck_finding_conclusion CHECK (conclusion IN ('unfounded', 'false_death', 'confirmed', 'confirmed_no_overpayment', 'inconclusive'))
);

CREATE INDEX ix_finding_subject ON recognition.finding (subject);

COMMENT ON TABLE recognition.finding IS 'What people concluded on cases';

CREATE TABLE recognition.holding (
    subject UUID NOT NULL, 
    claim TEXT NOT NULL, 
    cap_months SMALLINT NOT NULL, 
    as_of DATE NOT NULL, 
    certificate_id UUID NOT NULL, 
    channel TEXT NOT NULL, 
    strength TEXT NOT NULL, 
    CONSTRAINT pk_holding PRIMARY KEY (subject, claim, cap_months)
);

COMMENT ON TABLE recognition.holding IS 'Newest certificate in force per person, claim and cap: what every answer looks at';

COMMENT ON COLUMN recognition.holding.cap_months IS '0: no cap';

CREATE TABLE recognition.proof_of_notice (
    subject UUID NOT NULL, 
    message_id UUID NOT NULL, 
    channel TEXT NOT NULL, 
    template TEXT NOT NULL, 
    delivered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_proof_of_notice PRIMARY KEY (subject, message_id, channel)
);

COMMENT ON TABLE recognition.proof_of_notice IS 'Notices that reached their channel''s end';

CREATE TABLE recognition.proposal (
    proposal_id UUID NOT NULL, 
    subject UUID NOT NULL, 
    program TEXT NOT NULL, 
    case_id UUID, 
    reason TEXT NOT NULL, 
    effect TEXT NOT NULL, 
    event_on DATE, 
    stops_from DATE, 
    state TEXT DEFAULT 'open' NOT NULL, 
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    grounds TEXT, 
    decided_by TEXT, 
    decided_at TIMESTAMP WITH TIME ZONE, 
    closed_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_proposal PRIMARY KEY (proposal_id), 
    CONSTRAINT ck_proposal_reason CHECK (reason IN ('death', 'declared_dead', 'missing', 'imprisonment', 'sentenced_community', 'detention', 'criminal_punishment', 'nationality_lost', 'duplicate_receipt', 'other_pension', 'employment', 'military_service', 'work_refused', 'moved_away', 'moved_abroad', 'remarriage', 'adulthood', 'adoption', 'birth_or_adoption', 'parent_found', 'supporter_found', 'ability_regained', 'disability_changed', 'income_changed', 'household_extinct', 'overdue', 'own_request')), 
    CONSTRAINT ck_proposal_effect CHECK (effect IN ('terminate', 'suspend', 'reduce', 'change_payee', 'continue')), 
    CONSTRAINT ck_proposal_state CHECK (state IN ('open', 'decided', 'confirmed', 'rejected', 'withdrawn')), 
    CONSTRAINT ck_proposal_decided CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);

CREATE INDEX ix_proposal_open ON recognition.proposal (opened_at) WHERE state IN ('open', 'decided');

CREATE INDEX ix_proposal_subject ON recognition.proposal (subject, program);

COMMENT ON TABLE recognition.proposal IS 'What may have to be stopped; for a named officer to decide';

COMMENT ON COLUMN recognition.proposal.case_id IS 'case it follows from';

COMMENT ON COLUMN recognition.proposal.stops_from IS 'first day that would not be paid';

COMMENT ON COLUMN recognition.proposal.grounds IS 'what the officer who decided wrote';

CREATE TABLE recognition.revocation (
    subject UUID NOT NULL, 
    certificate_id UUID NOT NULL, 
    reason TEXT NOT NULL, 
    successor_id UUID, 
    decision_id UUID, 
    revoked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_revocation PRIMARY KEY (subject, certificate_id)
);

COMMENT ON TABLE recognition.revocation IS 'Certificates that no longer hold, and why';

CREATE TABLE recognition.standing (
    subject UUID NOT NULL, 
    level TEXT, 
    decision TEXT, 
    as_of DATE, 
    rule_set TEXT, 
    reasons TEXT[], 
    assessed_on DATE, 
    said_at TIMESTAMP WITH TIME ZONE, 
    said_id UUID, 
    cleared_at TIMESTAMP WITH TIME ZONE, 
    confirmed_at TIMESTAMP WITH TIME ZONE, 
    announced_until DATE, 
    under_review BOOLEAN GENERATED ALWAYS AS (COALESCE(GREATEST(CASE WHEN decision = 'suspected' THEN said_at END, confirmed_at) > COALESCE(cleared_at, '-infinity'), false)) STORED NOT NULL, 
    CONSTRAINT pk_standing PRIMARY KEY (subject), 
    CONSTRAINT ck_standing_level CHECK (level IN ('strong', 'medium', 'low', 'conflict')), 
    CONSTRAINT ck_standing_decision CHECK (decision IN ('certifiable', 'insufficient', 'suspected')), 
    CONSTRAINT ck_standing_opinion_has_instant CHECK ((decision IS NULL) = (said_at IS NULL))
);

CREATE INDEX ix_standing_under_review ON recognition.standing (subject) WHERE under_review;

COMMENT ON TABLE recognition.standing IS 'What scoring and people last concluded on a person';

COMMENT ON COLUMN recognition.standing.decision IS 'scoring''s latest opinion';

COMMENT ON COLUMN recognition.standing.said_at IS 'when scoring said it; what is older changes nothing';

COMMENT ON COLUMN recognition.standing.said_id IS 'message id, decides between two of one instant';

COMMENT ON COLUMN recognition.standing.cleared_at IS 'latest conclusion that found nothing';

COMMENT ON COLUMN recognition.standing.confirmed_at IS 'latest conclusion that confirmed a suspicion';

COMMENT ON COLUMN recognition.standing.announced_until IS 'until when the person was last told to be certified';

CREATE TABLE recognition.usage (
    usage_id BIGINT GENERATED ALWAYS AS IDENTITY, 
    logged_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    client_id TEXT NOT NULL, 
    user_ref TEXT NOT NULL, 
    department TEXT, 
    action TEXT NOT NULL, 
    program TEXT, 
    subject UUID, 
    purpose TEXT, 
    legal_basis TEXT, 
    case_ref TEXT, 
    answer TEXT NOT NULL, 
    request_id TEXT NOT NULL, 
    CONSTRAINT pk_usage PRIMARY KEY (usage_id, logged_at)
)
 PARTITION BY RANGE (logged_at);

CREATE INDEX ix_usage_subject ON recognition.usage (subject, logged_at);

COMMENT ON TABLE recognition.usage IS 'Every look at a person, written before the answer leaves';

COMMENT ON COLUMN recognition.usage.at IS 'business time';

COMMENT ON COLUMN recognition.usage.user_ref IS 'person at the other end where the token names one';

COMMENT ON COLUMN recognition.usage.answer IS 'what left: an answer, or denied with its reason';

CREATE TABLE recognition.decision (
    decision_id UUID NOT NULL, 
    proposal_id UUID NOT NULL, 
    subject UUID NOT NULL, 
    program TEXT NOT NULL, 
    reason TEXT NOT NULL, 
    effect TEXT NOT NULL, 
    event_on DATE, 
    stops_from DATE NOT NULL, 
    amount_fen BIGINT NOT NULL, 
    grounds TEXT NOT NULL, 
    decided_by TEXT NOT NULL, 
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    confirmed_by TEXT NOT NULL, 
    confirmed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    state TEXT DEFAULT 'notice' NOT NULL, 
    notice_until DATE NOT NULL, 
    effective_at TIMESTAMP WITH TIME ZONE, 
    lifted_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_decision PRIMARY KEY (decision_id), 
    CONSTRAINT ck_decision_four_eyes CHECK (confirmed_by <> decided_by), 
    CONSTRAINT ck_decision_named CHECK (length(decided_by) > 0 AND length(confirmed_by) > 0), 
    CONSTRAINT ck_decision_effect CHECK (effect IN ('terminate', 'suspend', 'reduce', 'change_payee', 'continue')), 
    CONSTRAINT ck_decision_reason CHECK (reason IN ('death', 'declared_dead', 'missing', 'imprisonment', 'sentenced_community', 'detention', 'criminal_punishment', 'nationality_lost', 'duplicate_receipt', 'other_pension', 'employment', 'military_service', 'work_refused', 'moved_away', 'moved_abroad', 'remarriage', 'adulthood', 'adoption', 'birth_or_adoption', 'parent_found', 'supporter_found', 'ability_regained', 'disability_changed', 'income_changed', 'household_extinct', 'overdue', 'own_request')), 
    CONSTRAINT ck_decision_state CHECK (state IN ('notice', 'effective', 'lifted', 'withdrawn')), 
    CONSTRAINT uq_decision_decision_id_subject_program UNIQUE (decision_id, subject, program), 
    CONSTRAINT uq_decision_proposal_id UNIQUE (proposal_id), 
    CONSTRAINT fk_decision_proposal_id_proposal FOREIGN KEY(proposal_id) REFERENCES recognition.proposal (proposal_id)
);

COMMENT ON TABLE recognition.decision IS 'What two named people decided; the only way to a stop';

COMMENT ON COLUMN recognition.decision.amount_fen IS 'a month, when it was decided';

COMMENT ON COLUMN recognition.decision.notice_until IS 'last day to answer before it takes effect';

CREATE TABLE recognition.arrears (
    decision_id UUID NOT NULL, 
    subject UUID NOT NULL, 
    program TEXT NOT NULL, 
    reason TEXT NOT NULL, 
    rule TEXT NOT NULL, 
    suspended_from DATE NOT NULL, 
    paid_again_from DATE NOT NULL, 
    arrears_fen BIGINT NOT NULL, 
    lifted_by TEXT NOT NULL, 
    lifted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_arrears PRIMARY KEY (decision_id), 
    CONSTRAINT ck_arrears_reason CHECK (reason IN ('overdue', 'imprisonment', 'detained_acquitted', 'detained_convicted', 'missing_returned', 'missing_declared_dead', 'false_death', 'not_confirmed', 'employed', 'own_request')), 
    CONSTRAINT ck_arrears_rule CHECK (rule IN ('all', 'all_with_increases', 'none', 'from_request', 'refund')), 
    CONSTRAINT ck_arrears_arrears_fen CHECK (arrears_fen >= 0), 
    CONSTRAINT fk_arrears_decision_id_decision FOREIGN KEY(decision_id) REFERENCES recognition.decision (decision_id)
);

CREATE INDEX ix_arrears_subject ON recognition.arrears (subject);

COMMENT ON TABLE recognition.arrears IS 'What a lifted stop pays back';

COMMENT ON COLUMN recognition.arrears.reason IS 'of the suspension; it alone decides what is paid back';

CREATE TABLE recognition.enrolment (
    subject UUID NOT NULL, 
    program TEXT NOT NULL, 
    status TEXT DEFAULT 'active' NOT NULL, 
    listed BOOLEAN NOT NULL, 
    amount_fen BIGINT NOT NULL, 
    division TEXT NOT NULL, 
    group_no SMALLINT, 
    household UUID, 
    sex TEXT, 
    born_on DATE, 
    started_on DATE, 
    ended_on DATE, 
    due_on DATE, 
    received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    decision_id UUID, 
    CONSTRAINT pk_enrolment PRIMARY KEY (subject, program), 
    CONSTRAINT ck_enrolment_amount CHECK (amount_fen >= 0), 
    CONSTRAINT ck_enrolment_status CHECK (status IN ('active', 'notice_of_intended_stop', 'suspended', 'terminated')), 
    CONSTRAINT ck_enrolment_stop_needs_decision CHECK (status = 'active' OR decision_id IS NOT NULL), 
    CONSTRAINT fk_enrolment_decision FOREIGN KEY(decision_id, subject, program) REFERENCES recognition.decision (decision_id, subject, program)
);

CREATE INDEX ix_enrolment_program_subject ON recognition.enrolment (program, subject);

COMMENT ON TABLE recognition.enrolment IS 'A person''s entry in a program; only people stop it';

COMMENT ON COLUMN recognition.enrolment.status IS 'as people have decided it';

COMMENT ON COLUMN recognition.enrolment.listed IS 'whether the owner''s latest roster names the person';

COMMENT ON COLUMN recognition.enrolment.amount_fen IS 'a month';

COMMENT ON COLUMN recognition.enrolment.division IS 'village, 12 digits';

COMMENT ON COLUMN recognition.enrolment.due_on IS 'day by which the owner wants the next certification';

COMMENT ON COLUMN recognition.enrolment.received_at IS 'of the roster; an older one changes nothing';

COMMENT ON COLUMN recognition.enrolment.decision_id IS 'decision that stopped it or announced to stop it';

CREATE FUNCTION recognition.valid_until(as_of date, cycle_months integer, cap_months integer) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (date_trunc('month', as_of::timestamp)
            + make_interval(months => LEAST(cycle_months, cap_months) + 1))::date - 1
$$;

COMMENT ON FUNCTION recognition.valid_until IS 'End of the month (as_of + cycle or cap); the same as domain/months.py';

CREATE FUNCTION recognition.answer(
    listed boolean, status text, under_review boolean, until date, as_of date, today date, max_age_days integer
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN listed IS NOT TRUE OR status = 'terminated' THEN 'unknown'
        WHEN under_review THEN 'under_review'
        WHEN status = 'suspended' OR until IS NULL OR until < today OR as_of < today - max_age_days THEN 'not_yet'
        ELSE 'recognised'
    END
$$;

COMMENT ON FUNCTION recognition.answer IS 'What a program hears; the same as domain/answers.py';

CREATE FUNCTION recognition.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON recognition.certificate
FOR EACH ROW EXECUTE FUNCTION recognition.refuse_change();

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON recognition.revocation
FOR EACH ROW EXECUTE FUNCTION recognition.refuse_change();

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON recognition.usage
FOR EACH ROW EXECUTE FUNCTION recognition.refuse_change();

CREATE TABLE recognition.usage_rest PARTITION OF recognition.usage DEFAULT;

ALTER TABLE recognition.standing SET (fillfactor = 80);

ALTER TABLE recognition.holding SET (fillfactor = 80);

ALTER TABLE recognition.enrolment SET (fillfactor = 90)
