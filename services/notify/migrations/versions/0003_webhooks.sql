CREATE TABLE notify.partner_event (
    event_id UUID NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    client_id TEXT NOT NULL,
    program TEXT NOT NULL,
    subject UUID NOT NULL,
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    heard_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_partner_event PRIMARY KEY (event_id)
);

CREATE INDEX ix_partner_event_age ON notify.partner_event (heard_at);

CREATE INDEX ix_partner_event_heard ON notify.partner_event (client_id, heard_at);

COMMENT ON TABLE notify.partner_event IS 'what partners are told, kept for replay';

COMMENT ON COLUMN notify.partner_event.seq IS 'the order of hearing';

COMMENT ON COLUMN notify.partner_event.subject IS 'never told to a partner';

COMMENT ON COLUMN notify.partner_event.heard_at IS 'business time';

CREATE TABLE notify.endpoint (
    subscription_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT[] NOT NULL,
    programs TEXT[] NOT NULL,
    secret BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_until TIMESTAMP WITH TIME ZONE,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    version INTEGER NOT NULL,
    failures SMALLINT DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    leased_until TIMESTAMP WITH TIME ZONE,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    succeeded_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_endpoint PRIMARY KEY (subscription_id),
    CONSTRAINT ck_endpoint_status CHECK (status IN ('pending', 'active', 'paused', 'disabled', 'ended'))
);

CREATE INDEX ix_endpoint_client ON notify.endpoint (client_id);

COMMENT ON COLUMN notify.endpoint.kinds IS 'empty: all';

COMMENT ON COLUMN notify.endpoint.programs IS 'empty: all of the partner';

COMMENT ON COLUMN notify.endpoint.secret IS 'sealed, bound to the subscription';

COMMENT ON COLUMN notify.endpoint.previous_secret IS 'signs too until previous_until';

COMMENT ON COLUMN notify.endpoint.reason IS 'why it stands so; a code';

COMMENT ON COLUMN notify.endpoint.version IS 'of the subscription; an older one never wins';

COMMENT ON COLUMN notify.endpoint.failures IS 'since the last success';

COMMENT ON COLUMN notify.endpoint.due_at IS 'not before: the next challenge, or the next try of one that fails';

COMMENT ON COLUMN notify.endpoint.leased_until IS 'of a challenge under way; wall time';

COMMENT ON COLUMN notify.endpoint.asked_at IS 'events from then on are the partner''s';

COMMENT ON COLUMN notify.endpoint.succeeded_at IS 'last success';

CREATE TABLE notify.post (
    subscription_id UUID NOT NULL,
    event_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    status TEXT NOT NULL,
    attempts SMALLINT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    leased_until TIMESTAMP WITH TIME ZONE,
    http_status SMALLINT,
    reason TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    told BOOLEAN NOT NULL,
    CONSTRAINT pk_post PRIMARY KEY (subscription_id, event_id),
    CONSTRAINT ck_post_status CHECK (status IN ('queued', 'sending', 'delivered', 'failed')),
    CONSTRAINT ck_post_ended CHECK ((ended_at IS NOT NULL) = (status IN ('delivered', 'failed'))),
    CONSTRAINT ck_post_leased CHECK ((leased_until IS NOT NULL) = (status = 'sending'))
);

CREATE INDEX ix_post_event ON notify.post (event_id);

CREATE INDEX ix_post_leased ON notify.post (leased_until) WHERE status = 'sending';

CREATE INDEX ix_post_queue ON notify.post (subscription_id, seq) WHERE status = 'queued';

CREATE INDEX ix_post_untold ON notify.post (subscription_id) WHERE ended_at IS NOT NULL AND NOT told;

COMMENT ON COLUMN notify.post.seq IS 'of the event: what is oldest goes first';

COMMENT ON COLUMN notify.post.leased_until IS 'wall time';

COMMENT ON COLUMN notify.post.told IS 'its end has been said as a receipt'
