ALTER TABLE recognition.finding ADD COLUMN evidence_ids BIGINT[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN recognition.finding.evidence_ids IS 'what the suspicion rested on';

ALTER TABLE recognition.proposal ADD COLUMN origin TEXT NOT NULL DEFAULT 'case', ADD COLUMN origin_id UUID,
    ADD CONSTRAINT ck_proposal_origin CHECK (origin IN ('case', 'report', 'double_receipt', 'overdue', 'stop_request'));

COMMENT ON COLUMN recognition.proposal.origin IS 'what made somebody look';

COMMENT ON COLUMN recognition.proposal.origin_id IS 'request it follows from';

ALTER TABLE recognition.proof_of_notice ADD COLUMN notice_id UUID,
    ADD COLUMN outcome TEXT NOT NULL DEFAULT 'delivered', ADD COLUMN reason TEXT,
    ADD CONSTRAINT ck_proof_of_notice_outcome CHECK (outcome IN ('delivered', 'failed'));

CREATE INDEX ix_proof_of_notice_notice_id ON recognition.proof_of_notice (notice_id) WHERE notice_id IS NOT NULL;

COMMENT ON TABLE recognition.proof_of_notice IS 'Notices that reached their channel''s end, or were tried in vain';

COMMENT ON COLUMN recognition.proof_of_notice.delivered_at IS 'when it arrived, or failed';

CREATE TABLE recognition.overpayment (
    overpayment_id UUID NOT NULL,
    subject UUID NOT NULL,
    program TEXT NOT NULL,
    decision_id UUID NOT NULL,
    case_id UUID,
    stops_from DATE NOT NULL,
    state TEXT DEFAULT 'calculated' NOT NULL,
    due_fen BIGINT NOT NULL,
    paid_fen BIGINT DEFAULT 0 NOT NULL,
    offset_fen BIGINT DEFAULT 0 NOT NULL,
    written_off_fen BIGINT DEFAULT 0 NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    refund_due_on DATE,
    referred_to TEXT,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_overpayment PRIMARY KEY (overpayment_id),
    CONSTRAINT uq_overpayment_decision_id UNIQUE (decision_id),
    CONSTRAINT fk_overpayment_decision_id_decision FOREIGN KEY (decision_id) REFERENCES recognition.decision (decision_id),
    CONSTRAINT ck_overpayment_state CHECK (state IN ('calculated', 'notified', 'referred', 'closed', 'cancelled')),
    CONSTRAINT ck_overpayment_referred_to CHECK (referred_to IN ('administrative_order', 'court', 'police')),
    CONSTRAINT ck_overpayment_parts CHECK (due_fen > 0 AND paid_fen >= 0 AND offset_fen >= 0 AND written_off_fen >= 0),
    CONSTRAINT ck_overpayment_sum CHECK (paid_fen + offset_fen + written_off_fen <= due_fen),
    CONSTRAINT ck_overpayment_closed CHECK (state = 'cancelled'
        OR (state = 'closed') = (paid_fen + offset_fen + written_off_fen = due_fen))
);

CREATE INDEX ix_overpayment_subject ON recognition.overpayment (subject);

CREATE INDEX ix_overpayment_open ON recognition.overpayment (program, opened_at) WHERE state NOT IN ('closed', 'cancelled');

COMMENT ON TABLE recognition.overpayment IS 'What was paid after a stop, and how much of it has come back';

COMMENT ON COLUMN recognition.overpayment.stops_from IS 'first month in which nothing was due';

COMMENT ON COLUMN recognition.overpayment.refund_due_on IS 'day of the refund notice by which it is to come back';

CREATE TABLE recognition.overpaid (
    overpayment_id UUID NOT NULL,
    month DATE NOT NULL,
    payrun_id UUID NOT NULL,
    amount_fen BIGINT NOT NULL,
    paid_on DATE NOT NULL,
    CONSTRAINT pk_overpaid PRIMARY KEY (overpayment_id, month, payrun_id),
    CONSTRAINT ck_overpaid_amount CHECK (amount_fen > 0),
    CONSTRAINT fk_overpaid_overpayment_id_overpayment FOREIGN KEY (overpayment_id)
        REFERENCES recognition.overpayment (overpayment_id)
);

COMMENT ON TABLE recognition.overpaid IS 'The payments an overpayment consists of';

CREATE TABLE recognition.recovery (
    recovery_id UUID NOT NULL,
    overpayment_id UUID NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    amount_fen BIGINT NOT NULL,
    happened_on DATE NOT NULL,
    reference TEXT NOT NULL,
    against TEXT,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answered_by TEXT,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_recovery PRIMARY KEY (recovery_id),
    CONSTRAINT fk_recovery_overpayment_id_overpayment FOREIGN KEY (overpayment_id)
        REFERENCES recognition.overpayment (overpayment_id),
    CONSTRAINT uq_recovery_overpayment_id_reference UNIQUE (overpayment_id, reference),
    CONSTRAINT ck_recovery_kind CHECK (kind IN ('paid', 'offset', 'written_off')),
    CONSTRAINT ck_recovery_state CHECK (state IN ('proposed', 'booked', 'refused')),
    CONSTRAINT ck_recovery_amount CHECK (amount_fen > 0),
    CONSTRAINT ck_recovery_against CHECK ((kind = 'offset') = (against IS NOT NULL)
        AND against IN ('funeral_grant', 'account_balance', 'other_benefit')),
    CONSTRAINT ck_recovery_four_eyes CHECK (kind = 'paid' OR state = 'proposed'
        OR (answered_by IS NOT NULL AND answered_by <> asked_by))
);

COMMENT ON TABLE recognition.recovery IS 'What came back, was set off, or given up; the latter two by two officers';

COMMENT ON COLUMN recognition.recovery.reference IS 'receipt or file number; the same one is booked once';

CREATE TABLE recognition.instalment (
    overpayment_id UUID NOT NULL,
    number SMALLINT NOT NULL,
    due_on DATE NOT NULL,
    amount_fen BIGINT NOT NULL,
    CONSTRAINT pk_instalment PRIMARY KEY (overpayment_id, number),
    CONSTRAINT ck_instalment_amount CHECK (amount_fen > 0),
    CONSTRAINT fk_instalment_overpayment_id_overpayment FOREIGN KEY (overpayment_id)
        REFERENCES recognition.overpayment (overpayment_id)
);

COMMENT ON TABLE recognition.instalment IS 'The plan in force for paying back';

CREATE TABLE recognition.notice (
    notice_id UUID NOT NULL,
    subject UUID NOT NULL,
    kind TEXT NOT NULL,
    programs TEXT[] NOT NULL,
    reason TEXT NOT NULL,
    amount_fen BIGINT,
    deadline_on DATE,
    decision_id UUID,
    overpayment_id UUID,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_notice PRIMARY KEY (notice_id),
    CONSTRAINT ck_notice_kind CHECK (kind IN ('intended_stop', 'suspended', 'resumed', 'terminated', 'arrears', 'refund', 'apology')),
    CONSTRAINT fk_notice_decision_id_decision FOREIGN KEY (decision_id) REFERENCES recognition.decision (decision_id),
    CONSTRAINT fk_notice_overpayment_id_overpayment FOREIGN KEY (overpayment_id)
        REFERENCES recognition.overpayment (overpayment_id)
);

CREATE INDEX ix_notice_subject ON recognition.notice (subject);

CREATE INDEX ix_notice_decision_id ON recognition.notice (decision_id) WHERE decision_id IS NOT NULL;

COMMENT ON TABLE recognition.notice IS 'What people had to be told about their money';

CREATE TABLE recognition.objection (
    objection_id UUID NOT NULL,
    subject UUID NOT NULL,
    program TEXT NOT NULL,
    decision_id UUID,
    about TEXT NOT NULL,
    said TEXT NOT NULL,
    stage TEXT NOT NULL,
    reviews UUID,
    state TEXT DEFAULT 'received' NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_on DATE NOT NULL,
    answered_by TEXT,
    answered_at TIMESTAMP WITH TIME ZONE,
    answer TEXT,
    CONSTRAINT pk_objection PRIMARY KEY (objection_id),
    CONSTRAINT uq_objection_reviews UNIQUE (reviews),
    CONSTRAINT fk_objection_reviews_objection FOREIGN KEY (reviews) REFERENCES recognition.objection (objection_id),
    CONSTRAINT fk_objection_decision_id_decision FOREIGN KEY (decision_id) REFERENCES recognition.decision (decision_id),
    CONSTRAINT ck_objection_about CHECK (about IN ('intended_stop', 'stop', 'arrears', 'overpayment', 'certification', 'data', 'look', 'other')),
    CONSTRAINT ck_objection_stage CHECK (stage IN ('objection', 'review')),
    CONSTRAINT ck_objection_state CHECK (state IN ('received', 'upheld', 'dismissed')),
    CONSTRAINT ck_objection_review CHECK ((stage = 'review') = (reviews IS NOT NULL)),
    CONSTRAINT ck_objection_answered CHECK ((state = 'received') = (answered_by IS NULL))
);

CREATE INDEX ix_objection_subject ON recognition.objection (subject);

CREATE INDEX ix_objection_open ON recognition.objection (due_on) WHERE state = 'received';

COMMENT ON TABLE recognition.objection IS 'What people say is wrong, and what came of it';

COMMENT ON COLUMN recognition.objection.said IS 'in the person''s words, id numbers masked';

COMMENT ON COLUMN recognition.objection.reviews IS 'dismissed objection this is the review of';

CREATE TABLE recognition.citizen_request (
    request_id UUID NOT NULL,
    asked_by UUID NOT NULL,
    subject UUID NOT NULL,
    kind TEXT NOT NULL,
    programs TEXT[] NOT NULL,
    relation TEXT NOT NULL,
    reason TEXT NOT NULL,
    event_on DATE,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    concluded_at TIMESTAMP WITH TIME ZONE,
    confirmed BOOLEAN,
    CONSTRAINT pk_citizen_request PRIMARY KEY (request_id),
    CONSTRAINT ck_citizen_request_kind CHECK (kind IN ('visit', 'stop'))
);

CREATE INDEX ix_citizen_request_asked_by ON recognition.citizen_request (asked_by, requested_at);

COMMENT ON TABLE recognition.citizen_request IS 'What people asked for: a visit at home, the stop of a benefit';

COMMENT ON COLUMN recognition.citizen_request.asked_by IS 'who asks, for himself or for a relative';

CREATE TABLE recognition.face_session (
    session_id UUID NOT NULL,
    subject UUID NOT NULL,
    client_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    assisted BOOLEAN NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    refused_for TEXT,
    score REAL,
    finished_at TIMESTAMP WITH TIME ZONE,
    certificate_id UUID,
    CONSTRAINT pk_face_session PRIMARY KEY (session_id),
    CONSTRAINT uq_face_session_nonce UNIQUE (nonce),
    CONSTRAINT ck_face_session_state CHECK (state IN ('open', 'passed', 'refused')),
    CONSTRAINT ck_face_session_passed CHECK ((state = 'passed') = (certificate_id IS NOT NULL))
);

CREATE INDEX ix_face_session_subject ON recognition.face_session (subject, opened_at);

COMMENT ON TABLE recognition.face_session IS 'Self-certifications by face: no picture, only what the provider concluded';

COMMENT ON COLUMN recognition.face_session.assisted IS 'whether family helped';

COMMENT ON COLUMN recognition.face_session.expires_at IS 'wall time, as the provider''s assertion counts it';

CREATE TABLE recognition.face_assertion (
    issuer TEXT NOT NULL,
    jti TEXT NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_face_assertion PRIMARY KEY (issuer, jti)
);

COMMENT ON TABLE recognition.face_assertion IS 'Assertions of face providers already used: each counts once';

CREATE TABLE recognition.case_correction (
    correction_id UUID NOT NULL,
    case_id UUID NOT NULL,
    subject UUID NOT NULL,
    evidence_ids BIGINT[] NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_case_correction PRIMARY KEY (correction_id),
    CONSTRAINT uq_case_correction_case_id UNIQUE (case_id)
);

COMMENT ON TABLE recognition.case_correction IS 'Corrections asked of a source''s department because a case found its record false'
