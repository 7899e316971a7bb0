CREATE TABLE recognition.usage_seal (
	seal_no BIGINT NOT NULL,
	last_tx BIGINT NOT NULL,
	last_id BIGINT NOT NULL,
	ids BYTEA NOT NULL,
	marks BYTEA NOT NULL,
	previous BYTEA NOT NULL,
	chain BYTEA NOT NULL,
	sealed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_usage_seal PRIMARY KEY (seal_no)
);

COMMENT ON TABLE recognition.usage_seal IS 'Proof of the usage log: every seal covers the one before it';

COMMENT ON COLUMN recognition.usage_seal.last_tx IS 'transaction of the last row it covers';

COMMENT ON COLUMN recognition.usage_seal.ids IS 'usage_id of each row, int64';

COMMENT ON COLUMN recognition.usage_seal.marks IS 'keyed, 16 bytes a row';

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON recognition.usage_seal
FOR EACH ROW EXECUTE FUNCTION recognition.refuse_change();

ALTER TABLE recognition.usage ADD COLUMN tx bigint NOT NULL DEFAULT 0;

ALTER TABLE recognition.usage ALTER COLUMN tx SET DEFAULT pg_current_xact_id()::text::bigint;

CREATE INDEX ix_usage_tx ON recognition.usage USING brin (tx);

CREATE TABLE recognition.quota (
	client_id TEXT NOT NULL,
	day INTEGER NOT NULL,
	people BIGINT NOT NULL,
	CONSTRAINT pk_quota PRIMARY KEY (client_id, day)
);

COMMENT ON TABLE recognition.quota IS 'People each client has asked for on a day, counted ahead in steps';

COMMENT ON COLUMN recognition.quota.day IS 'days since 1970'
