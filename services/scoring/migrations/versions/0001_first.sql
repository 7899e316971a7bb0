-- Tables of scoring; the tables every service has are made by the kit.

CREATE TABLE scoring.assessment (
    subject UUID NOT NULL,
    level TEXT NOT NULL,
    decision TEXT NOT NULL,
    as_of DATE,
    strength TEXT,
    points SMALLINT NOT NULL,
    valid_months SMALLINT,
    marked BOOLEAN NOT NULL,
    reasons TEXT[] NOT NULL,
    evidence_ids BIGINT[] NOT NULL,
    evidence_class TEXT[] NOT NULL,
    rule_set TEXT NOT NULL,
    assessed_on DATE NOT NULL,
    digest BIGINT NOT NULL,
    CONSTRAINT pk_assessment PRIMARY KEY (subject),
    CONSTRAINT ck_assessment_level CHECK (level IN ('strong', 'medium', 'low', 'conflict')),
    CONSTRAINT ck_assessment_decision CHECK (decision IN ('certifiable', 'insufficient', 'suspected')),
    CONSTRAINT ck_assessment_strength CHECK (strength IN ('strong', 'weak')),
    CONSTRAINT ck_assessment_as_of CHECK ((decision = 'insufficient') = (as_of IS NULL)),
    CONSTRAINT ck_assessment_certified_on_evidence CHECK ((decision = 'certifiable') = (strength IS NOT NULL))
);

COMMENT ON TABLE scoring.assessment IS 'The current opinion of each person ever seen';

COMMENT ON COLUMN scoring.assessment.as_of IS 'newest evidence it rests on';

COMMENT ON COLUMN scoring.assessment.strength IS 'of what it rests on';

COMMENT ON COLUMN scoring.assessment.points IS 'of weak evidence, where it was needed';

COMMENT ON COLUMN scoring.assessment.valid_months IS 'cap on the certificate';

COMMENT ON COLUMN scoring.assessment.marked IS 'anything but positive evidence is known';

COMMENT ON COLUMN scoring.assessment.rule_set IS 'code@version that formed it';

COMMENT ON COLUMN scoring.assessment.assessed_on IS 'business day on which it became what it is';

COMMENT ON COLUMN scoring.assessment.digest IS 'fingerprint: equal opinions are not written again';

CREATE TABLE scoring.look (
    looked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    look_id BIGINT GENERATED ALWAYS AS IDENTITY,
    client_id TEXT NOT NULL,
    looked_by TEXT NOT NULL,
    subject UUID NOT NULL,
    what TEXT NOT NULL,
    CONSTRAINT pk_look PRIMARY KEY (looked_at, look_id)
)
 PARTITION BY RANGE (looked_at);

CREATE TABLE scoring.look_rest PARTITION OF scoring.look DEFAULT;

CREATE INDEX ix_look_subject ON scoring.look (subject);

COMMENT ON TABLE scoring.look IS 'Who looked at whose assessment; written before the answer leaves';

CREATE TABLE scoring.origin (
    number SMALLINT NOT NULL,
    source TEXT NOT NULL,
    department TEXT NOT NULL,
    strong BOOLEAN NOT NULL,
    CONSTRAINT pk_origin PRIMARY KEY (number),
    CONSTRAINT uq_origin_source_department_strong UNIQUE (source, department, strong),
    CONSTRAINT ck_origin_number CHECK (number BETWEEN 0 AND 511)
);

COMMENT ON TABLE scoring.origin IS 'Where signals come from; a signal names its origin by number';

CREATE TABLE scoring.reassessment (
    reassessment_id UUID NOT NULL,
    rule_set TEXT NOT NULL,
    shadow BOOLEAN NOT NULL,
    assess_on DATE NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    cancelled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_reassessment PRIMARY KEY (reassessment_id)
);

COMMENT ON TABLE scoring.reassessment IS 'Requests to form all opinions anew';

COMMENT ON COLUMN scoring.reassessment.shadow IS 'compared only, nothing is written or said';

COMMENT ON COLUMN scoring.reassessment.assess_on IS 'business day it is done for';

CREATE TABLE scoring.shard_head (
    shard SMALLINT NOT NULL,
    heard_at TIMESTAMP WITH TIME ZONE,
    assessed_on DATE,
    rule_set TEXT,
    CONSTRAINT pk_shard_head PRIMARY KEY (shard),
    CONSTRAINT ck_shard_head_shard CHECK (shard BETWEEN 0 AND 15)
);

COMMENT ON TABLE scoring.shard_head IS 'A worker that sweeps a shard locks its row';

COMMENT ON COLUMN scoring.shard_head.heard_at IS 'newest segment swept';

COMMENT ON COLUMN scoring.shard_head.assessed_on IS 'business day for which every opinion of the shard holds';

COMMENT ON COLUMN scoring.shard_head.rule_set IS 'code@version under which every opinion of the shard holds';

CREATE TABLE scoring.signal_block (
    shard SMALLINT NOT NULL,
    run BIGINT NOT NULL,
    block INTEGER NOT NULL,
    first_subject UUID NOT NULL,
    last_subject UUID NOT NULL,
    people INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    body BYTEA NOT NULL,
    CONSTRAINT pk_signal_block PRIMARY KEY (shard, run, block),
    CONSTRAINT ck_signal_block_shard CHECK (shard BETWEEN 0 AND 15),
    CONSTRAINT ck_signal_block_subjects CHECK (first_subject <= last_subject)
);

ALTER TABLE scoring.signal_block ALTER COLUMN body SET STORAGE EXTERNAL;

COMMENT ON TABLE scoring.signal_block IS 'Swept signals, sorted by person: a run is cut into blocks so that one person is a small read';

COMMENT ON COLUMN scoring.signal_block.run IS 'one sorted merge';

COMMENT ON COLUMN scoring.signal_block.body IS 'Arrow IPC stream: a row per person, lists of his signals';

CREATE TABLE scoring.signal_segment (
    shard SMALLINT NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    rows INTEGER NOT NULL,
    urgent BOOLEAN NOT NULL,
    body BYTEA NOT NULL,
    heard_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_signal_segment PRIMARY KEY (shard, seq),
    CONSTRAINT ck_signal_segment_shard CHECK (shard BETWEEN 0 AND 15)
);

ALTER TABLE scoring.signal_segment ALTER COLUMN body SET STORAGE EXTERNAL;

COMMENT ON TABLE scoring.signal_segment IS 'Signals as they arrived, not yet swept';

COMMENT ON COLUMN scoring.signal_segment.urgent IS 'holds negative evidence or a conclusion';

COMMENT ON COLUMN scoring.signal_segment.body IS 'Arrow IPC stream as it was heard';

CREATE TABLE scoring.suspicion (
    suspicion_id UUID NOT NULL,
    subject UUID NOT NULL,
    kind TEXT NOT NULL,
    episode SMALLINT NOT NULL,
    confidence TEXT NOT NULL,
    event_on DATE NOT NULL,
    evidence_ids BIGINT[] NOT NULL,
    sources TEXT[] NOT NULL,
    reasons TEXT[] NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    raised_on DATE NOT NULL,
    concluded_at TIMESTAMP WITH TIME ZONE,
    rule_set TEXT NOT NULL,
    CONSTRAINT pk_suspicion PRIMARY KEY (suspicion_id),
    CONSTRAINT uq_suspicion_subject_kind_episode UNIQUE (subject, kind, episode),
    CONSTRAINT ck_suspicion_kind CHECK (kind IN ('suspected_death', 'suspected_incarceration', 'suspected_missing', 'duplicate_receipt', 'conflict')),
    CONSTRAINT ck_suspicion_confidence CHECK (confidence IN ('hint', 'probable', 'conclusive')),
    CONSTRAINT ck_suspicion_status CHECK (status IN ('open', 'confirmed', 'refuted')),
    CONSTRAINT ck_suspicion_concluded CHECK ((status = 'open') = (concluded_at IS NULL))
);

CREATE INDEX ix_suspicion_subject ON scoring.suspicion (subject);

CREATE UNIQUE INDEX uq_suspicion_open ON scoring.suspicion (subject, kind) WHERE status = 'open';

COMMENT ON TABLE scoring.suspicion IS 'What people are asked to look into: one open a person and kind';

COMMENT ON COLUMN scoring.suspicion.suspicion_id IS 'follows from subject, kind and episode';

COMMENT ON COLUMN scoring.suspicion.episode IS 'how often people had refuted this kind before';

COMMENT ON COLUMN scoring.suspicion.revision IS 'grows with evidence';

CREATE TABLE scoring.reassessment_shard (
    reassessment_id UUID NOT NULL,
    shard SMALLINT NOT NULL,
    state TEXT NOT NULL,
    people INTEGER DEFAULT '0' NOT NULL,
    changed INTEGER DEFAULT '0' NOT NULL,
    moves JSONB DEFAULT '{}' NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_reassessment_shard PRIMARY KEY (reassessment_id, shard),
    CONSTRAINT ck_reassessment_shard_state CHECK (state IN ('queued', 'succeeded', 'cancelled')),
    CONSTRAINT fk_reassessment_shard_reassessment_id_reassessment FOREIGN KEY(reassessment_id) REFERENCES scoring.reassessment (reassessment_id) ON DELETE CASCADE
);

CREATE INDEX ix_reassessment_shard_waiting ON scoring.reassessment_shard (shard) WHERE state = 'queued';

COMMENT ON TABLE scoring.reassessment_shard IS 'The share of one shard in a reassessment';

COMMENT ON COLUMN scoring.reassessment_shard.moves IS 'people by decision before and after';
