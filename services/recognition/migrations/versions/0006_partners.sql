CREATE TABLE recognition.partner_event (
	seq BIGINT GENERATED ALWAYS AS IDENTITY,
	recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	event_id UUID NOT NULL,
	program TEXT NOT NULL,
	kind TEXT NOT NULL,
	subject UUID NOT NULL,
	about UUID,
	reason TEXT,
	occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
	repeats UUID,
	CONSTRAINT pk_partner_event PRIMARY KEY (seq, recorded_at),
	CONSTRAINT ck_partner_event_kind CHECK (kind IN ('certificate.issued', 'certificate.revoked', 'enrolment.suspended', 'enrolment.resumed', 'enrolment.terminated', 'correction.changed'))
)
 PARTITION BY RANGE (recorded_at);

CREATE INDEX ix_partner_event_event_id ON recognition.partner_event (event_id);

CREATE INDEX ix_partner_event_program_seq ON recognition.partner_event (program, seq);

COMMENT ON TABLE recognition.partner_event IS 'What happened in a program, for its partners; one order for all';

COMMENT ON COLUMN recognition.partner_event.seq IS 'in the order of commits';

COMMENT ON COLUMN recognition.partner_event.about IS 'certificate, decision or correction';

COMMENT ON COLUMN recognition.partner_event.repeats IS 'event it tells again';

CREATE TABLE recognition.feed (
	client_id TEXT NOT NULL,
	programs TEXT[] NOT NULL,
	acknowledged BIGINT DEFAULT '0' NOT NULL,
	began_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_feed PRIMARY KEY (client_id)
);

COMMENT ON TABLE recognition.feed IS 'Partners who listen: of their programs certificates are told too';

COMMENT ON COLUMN recognition.feed.programs IS 'as the client''s token said last';

COMMENT ON COLUMN recognition.feed.acknowledged IS 'seq it has heard';

CREATE TABLE recognition.handover (
	event_id UUID NOT NULL,
	client_id TEXT NOT NULL,
	program TEXT NOT NULL,
	kind TEXT NOT NULL,
	subject UUID NOT NULL,
	last_id UUID NOT NULL,
	last_seq BIGINT NOT NULL,
	state TEXT DEFAULT 'open' NOT NULL,
	tries SMALLINT DEFAULT '1' NOT NULL,
	told_at TIMESTAMP WITH TIME ZONE NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE NOT NULL,
	reason TEXT,
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_handover PRIMARY KEY (event_id, client_id),
	CONSTRAINT ck_handover_state CHECK (state IN ('open', 'delivered', 'acknowledged', 'accepted', 'rejected', 'manual'))
);

CREATE INDEX ix_handover_client_last_seq ON recognition.handover (client_id, last_seq) WHERE state = 'open';

CREATE INDEX ix_handover_last_id ON recognition.handover (last_id);

CREATE INDEX ix_handover_open ON recognition.handover (due_at) WHERE state = 'open';

CREATE INDEX ix_handover_shown ON recognition.handover (program, event_id) WHERE state IN ('manual', 'rejected');

COMMENT ON TABLE recognition.handover IS 'Events a partner must have heard, and what it answered';

COMMENT ON COLUMN recognition.handover.event_id IS 'as it was told first';

COMMENT ON COLUMN recognition.handover.last_id IS 'event it was told by last';

COMMENT ON COLUMN recognition.handover.due_at IS 'when somebody runs after it';

COMMENT ON COLUMN recognition.handover.reason IS 'why it was rejected, in the partner''s words';

CREATE TABLE recognition.subscription (
	subscription_id UUID NOT NULL,
	client_id TEXT NOT NULL,
	url TEXT NOT NULL,
	kinds TEXT[] NOT NULL,
	programs TEXT[] NOT NULL,
	secret BYTEA NOT NULL,
	status TEXT NOT NULL,
	reason TEXT NOT NULL,
	version INTEGER NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_subscription PRIMARY KEY (subscription_id),
	CONSTRAINT ck_subscription_status CHECK (status IN ('pending', 'active', 'paused', 'disabled', 'ended'))
);

CREATE INDEX ix_subscription_client_id ON recognition.subscription (client_id);

COMMENT ON TABLE recognition.subscription IS 'Webhook endpoints of partners; notify tells them';

COMMENT ON COLUMN recognition.subscription.kinds IS 'empty: all';

COMMENT ON COLUMN recognition.subscription.secret IS 'sealed with the vault key, bound to the subscription';

CREATE TABLE recognition.correction (
	correction_id UUID NOT NULL,
	client_id TEXT NOT NULL,
	program TEXT NOT NULL,
	subject UUID NOT NULL,
	reason TEXT NOT NULL,
	status TEXT NOT NULL,
	parts JSONB DEFAULT '{}' NOT NULL,
	answer TEXT,
	due_on DATE,
	requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_correction PRIMARY KEY (correction_id),
	CONSTRAINT ck_correction_status CHECK (status IN ('open', 'accepted', 'refused'))
);

CREATE INDEX ix_correction_client_id ON recognition.correction (client_id);

COMMENT ON TABLE recognition.correction IS 'Records partners say are wrong; the department that delivered them answers';

COMMENT ON COLUMN recognition.correction.parts IS 'by department''s answer';

COMMENT ON COLUMN recognition.correction.answer IS 'why the department refused';

CREATE TABLE recognition.partner_event_rest PARTITION OF recognition.partner_event DEFAULT
