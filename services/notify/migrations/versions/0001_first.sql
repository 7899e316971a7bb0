CREATE TABLE notify.contact (
    subject UUID NOT NULL,
    sealed BYTEA NOT NULL,
    reachable TEXT NOT NULL,
    division TEXT,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_contact PRIMARY KEY (subject),
    CONSTRAINT ck_contact_reachable CHECK (reachable IN ('phone', 'family', 'none'))
);

COMMENT ON COLUMN notify.contact.sealed IS 'AES-GCM of JSON {name, phone, family_phone}; opened to send only';

COMMENT ON COLUMN notify.contact.reachable IS 'what the sealed part holds: phone, family or none';

COMMENT ON COLUMN notify.contact.division IS 'village, 12 digits';

COMMENT ON COLUMN notify.contact.received_at IS 'of the roster; an older one never wins';

CREATE TABLE notify.delivery (
    message_id UUID NOT NULL,
    channel TEXT NOT NULL,
    attempt SMALLINT NOT NULL,
    subject UUID,
    template TEXT NOT NULL,
    lane SMALLINT NOT NULL,
    revision INTEGER NOT NULL,
    personal BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    leased_until TIMESTAMP WITH TIME ZONE,
    provider TEXT,
    reference TEXT,
    reason TEXT,
    parts SMALLINT DEFAULT '0' NOT NULL,
    handed_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_delivery PRIMARY KEY (message_id, channel, attempt),
    CONSTRAINT ck_delivery_status CHECK (status IN ('waiting', 'queued', 'sending', 'handed', 'delivered', 'failed', 'refused', 'merged')),
    CONSTRAINT ck_delivery_attempt CHECK (attempt >= 1),
    CONSTRAINT ck_delivery_ended CHECK ((ended_at IS NOT NULL) = (status IN ('delivered', 'failed', 'refused', 'merged'))),
    CONSTRAINT ck_delivery_leased CHECK ((leased_until IS NOT NULL) = (status = 'sending'))
);

CREATE INDEX ix_delivery_leased ON notify.delivery (leased_until) WHERE status = 'sending';

CREATE INDEX ix_delivery_queue ON notify.delivery (channel, lane, due_at) WHERE status = 'queued';

CREATE INDEX ix_delivery_subject ON notify.delivery (subject, channel);

CREATE INDEX ix_delivery_waiting ON notify.delivery (subject) WHERE status = 'waiting';

COMMENT ON COLUMN notify.delivery.personal IS 'to the person himself: refused once he is recorded as dead';

COMMENT ON COLUMN notify.delivery.due_at IS 'not before; business time';

COMMENT ON COLUMN notify.delivery.leased_until IS 'a sender that died gives it back then; wall time';

COMMENT ON COLUMN notify.delivery.reference IS 'the provider''s own number';

COMMENT ON COLUMN notify.delivery.reason IS 'why it waits, failed or was refused; a code';

COMMENT ON COLUMN notify.delivery.parts IS 'what the provider bills';

CREATE TABLE notify.do_not_write (
    subject UUID NOT NULL,
    since DATE,
    reason TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE,
    lifted_at TIMESTAMP WITH TIME ZONE,
    blocked BOOLEAN GENERATED ALWAYS AS (recorded_at IS NOT NULL AND (lifted_at IS NULL OR lifted_at < recorded_at)) STORED,
    CONSTRAINT pk_do_not_write PRIMARY KEY (subject),
    CONSTRAINT ck_do_not_write_some_record CHECK (recorded_at IS NOT NULL OR lifted_at IS NOT NULL)
);

COMMENT ON COLUMN notify.do_not_write.since IS 'earliest recorded day of death, null where registers do not say';

COMMENT ON COLUMN notify.do_not_write.reason IS 'kind of suspicion, or confirmed';

COMMENT ON COLUMN notify.do_not_write.recorded_at IS 'newest record of a death';

COMMENT ON COLUMN notify.do_not_write.lifted_at IS 'newest conclusion that the person lives';

COMMENT ON COLUMN notify.do_not_write.blocked IS 'true: never written to';

CREATE TABLE notify.look (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    client_id TEXT NOT NULL,
    who TEXT NOT NULL,
    subject UUID NOT NULL,
    found INTEGER NOT NULL,
    CONSTRAINT pk_look PRIMARY KEY (id)
);

CREATE INDEX ix_look_subject ON notify.look (subject, at);

COMMENT ON COLUMN notify.look.who IS 'the person at the other end where the token names one';

COMMENT ON COLUMN notify.look.subject IS 'at whose messages he looked';

CREATE TABLE notify.message (
    id UUID NOT NULL,
    subject UUID,
    audience TEXT NOT NULL,
    recipient TEXT,
    template TEXT NOT NULL,
    version SMALLINT NOT NULL,
    variables JSONB NOT NULL,
    lane SMALLINT NOT NULL,
    revision INTEGER NOT NULL,
    in_inbox BOOLEAN NOT NULL,
    refused TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_message PRIMARY KEY (id),
    CONSTRAINT ck_message_lane CHECK (lane BETWEEN 0 AND 2),
    CONSTRAINT ck_message_audience CHECK (audience IN ('citizen', 'family', 'grid_worker', 'village', 'officer', 'department', 'partner')),
    CONSTRAINT ck_message_somebody CHECK (subject IS NOT NULL OR audience NOT IN ('citizen', 'family')),
    CONSTRAINT ck_message_refused_reaches_nobody CHECK (NOT (in_inbox AND refused IS NOT NULL))
);

CREATE INDEX ix_message_audience ON notify.message (audience, created_at, id) WHERE audience NOT IN ('citizen', 'family');

CREATE INDEX ix_message_subject ON notify.message (subject, created_at);

COMMENT ON COLUMN notify.message.id IS 'made from the template and what the event is about';

COMMENT ON COLUMN notify.message.subject IS 'whom it is for or about; null where it is about no person';

COMMENT ON COLUMN notify.message.recipient IS 'department slug, for the audience department';

COMMENT ON COLUMN notify.message.variables IS 'typed values; never a name, phone or id number';

COMMENT ON COLUMN notify.message.lane IS '0 legal, 1 urgent, 2 bulk';

COMMENT ON COLUMN notify.message.revision IS 'grows with what is known; the highest one stands';

COMMENT ON COLUMN notify.message.in_inbox IS 'the row itself is the delivery to the inbox';

COMMENT ON COLUMN notify.message.refused IS 'why nobody is told; null otherwise';

CREATE TABLE notify.preference (
    subject UUID NOT NULL,
    information BOOLEAN NOT NULL,
    large_print BOOLEAN NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_by TEXT NOT NULL,
    CONSTRAINT pk_preference PRIMARY KEY (subject)
);

COMMENT ON COLUMN notify.preference.information IS 'false: only legal notices disturb; the inbox keeps the rest';

COMMENT ON COLUMN notify.preference.large_print IS 'letters in large print';

COMMENT ON COLUMN notify.preference.changed_by IS 'client that asked for it'
