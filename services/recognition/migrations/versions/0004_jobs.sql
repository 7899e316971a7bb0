CREATE TABLE recognition.job (
	job_id UUID NOT NULL,
	kind TEXT NOT NULL,
	program TEXT NOT NULL,
	client_id TEXT NOT NULL,
	user_ref TEXT NOT NULL,
	department TEXT,
	purpose TEXT NOT NULL,
	legal_basis TEXT NOT NULL,
	case_ref TEXT,
	request_id TEXT NOT NULL,
	max_age_days INTEGER,
	format TEXT NOT NULL,
	state TEXT NOT NULL,
	requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
	worked_at TIMESTAMP WITH TIME ZONE,
	finished_at TIMESTAMP WITH TIME ZONE,
	expires_at TIMESTAMP WITH TIME ZONE,
	parts INTEGER NOT NULL,
	parts_done INTEGER DEFAULT '0' NOT NULL,
	people BIGINT,
	done BIGINT DEFAULT '0' NOT NULL,
	counts JSONB DEFAULT '{}' NOT NULL,
	failures SMALLINT DEFAULT '0' NOT NULL,
	digest BYTEA,
	size_bytes BIGINT,
	CONSTRAINT pk_job PRIMARY KEY (job_id),
	CONSTRAINT ck_job_kind CHECK (kind IN ('program', 'list', 'payrun')),
	CONSTRAINT ck_job_format CHECK (format IN ('ndjson', 'parquet')),
	CONSTRAINT ck_job_state CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'))
);

CREATE INDEX ix_job_client ON recognition.job (client_id, job_id);

CREATE INDEX ix_job_pending ON recognition.job (worked_at) WHERE state IN ('queued', 'running');

COMMENT ON TABLE recognition.job IS 'Questions about a whole program or a list, worked off part by part';

COMMENT ON COLUMN recognition.job.worked_at IS 'real time of the last step; who waited longest is next';

COMMENT ON COLUMN recognition.job.expires_at IS 'when the result file goes';

COMMENT ON COLUMN recognition.job.people IS 'of the list; of a whole program known at the end';

COMMENT ON COLUMN recognition.job.counts IS 'by answer, or by advice and reason';

COMMENT ON COLUMN recognition.job.digest IS 'SHA-256 of the result file';

CREATE TABLE recognition.payrun (
	payrun_id UUID NOT NULL,
	program TEXT NOT NULL,
	month DATE NOT NULL,
	state TEXT NOT NULL,
	total_fen BIGINT NOT NULL,
	paid_on DATE,
	not_paid BIGINT[],
	also_paid BIGINT[],
	confirmed_by TEXT,
	confirmed_at TIMESTAMP WITH TIME ZONE,
	parts_recorded INTEGER DEFAULT '0' NOT NULL,
	paid_lines BIGINT DEFAULT '0' NOT NULL,
	paid_fen BIGINT DEFAULT '0' NOT NULL,
	CONSTRAINT pk_payrun PRIMARY KEY (payrun_id),
	CONSTRAINT ck_payrun_state CHECK (state IN ('checking', 'advised', 'recording', 'confirmed', 'lapsed')),
	CONSTRAINT fk_payrun_payrun_id_job FOREIGN KEY(payrun_id) REFERENCES recognition.job (job_id)
);

CREATE INDEX ix_payrun_program ON recognition.payrun (program, month);

CREATE INDEX ix_payrun_recording ON recognition.payrun (payrun_id) WHERE state = 'recording';

COMMENT ON TABLE recognition.payrun IS 'Lists about to be paid, and what was paid of them';

COMMENT ON COLUMN recognition.payrun.month IS 'first day of the month it pays for';

COMMENT ON COLUMN recognition.payrun.total_fen IS 'of the lines that have an amount';

COMMENT ON COLUMN recognition.payrun.not_paid IS 'lines that were to be paid and were not';

COMMENT ON COLUMN recognition.payrun.also_paid IS 'lines that were paid although they were not to be';

CREATE TABLE recognition.idempotency (
	client_id TEXT NOT NULL,
	key TEXT NOT NULL,
	fingerprint BYTEA NOT NULL,
	status SMALLINT NOT NULL,
	headers JSONB NOT NULL,
	body BYTEA NOT NULL,
	kept_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_idempotency PRIMARY KEY (client_id, key)
);

CREATE INDEX ix_idempotency_kept_at ON recognition.idempotency (kept_at);

COMMENT ON TABLE recognition.idempotency IS 'Answers to requests that carried an Idempotency-Key, kept in the transaction of their effect';

COMMENT ON COLUMN recognition.idempotency.fingerprint IS 'of method, path and body'
