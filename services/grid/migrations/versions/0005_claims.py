"""Requests to stop a benefit, tips with their rewards, and what came back of overpayments."""

from alembic import op

revision = "grid_0005"
down_revision = "grid_0004"
branch_labels = None
depends_on = None

KINDS = "'suspected_death', 'suspected_incarceration', 'suspected_missing', 'duplicate_receipt', 'conflict'"
STATEMENTS = (
    """CREATE TABLE grid.stop_requests (
    request_id UUID NOT NULL,
    subject UUID NOT NULL,
    programs TEXT[] NOT NULL,
    relation TEXT NOT NULL,
    reason TEXT NOT NULL,
    event_on DATE,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    division TEXT,
    grid_code TEXT,
    worker_id TEXT,
    deadline_on DATE NOT NULL,
    matched BOOLEAN NOT NULL,
    as_stated BOOLEAN,
    verified_by TEXT,
    verified_at TIMESTAMP WITH TIME ZONE,
    confirmed BOOLEAN,
    concluded_by TEXT,
    concluded_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_stop_requests PRIMARY KEY (request_id),
    CONSTRAINT ck_stop_requests_state CHECK (state IN ('received', 'verified', 'concluded')),
    CONSTRAINT ck_stop_requests_division CHECK (division ~ '^[0-9]{12}$'),
    CONSTRAINT ck_stop_requests_verified CHECK ((state = 'received') = (verified_by IS NULL)),
    CONSTRAINT ck_stop_requests_concluded CHECK ((state = 'concluded') = (concluded_by IS NOT NULL)),
    CONSTRAINT ck_stop_requests_four_eyes CHECK (verified_by <> concluded_by),
    CONSTRAINT ck_stop_requests_never_without_finding CHECK (NOT confirmed OR as_stated)
)""",
    "CREATE INDEX ix_stop_requests_division ON grid.stop_requests (division, request_id)",
    "CREATE INDEX ix_stop_requests_unplaced ON grid.stop_requests (subject) WHERE division IS NULL",
    "COMMENT ON TABLE grid.stop_requests IS 'somebody asks to stop his own or a relative''s benefit'",
    "COMMENT ON COLUMN grid.stop_requests.matched IS 'a register says the same'",
    "COMMENT ON COLUMN grid.stop_requests.as_stated IS 'what the village found'",
    f"""CREATE TABLE grid.tips (
    tip_id UUID NOT NULL,
    claim_key BYTEA NOT NULL,
    subject UUID NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    named BOOLEAN NOT NULL,
    sealed BYTEA NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    screen_by DATE NOT NULL,
    tell_by DATE NOT NULL,
    screened_by TEXT,
    told_at TIMESTAMP WITH TIME ZONE,
    case_id UUID,
    recovered_fen BIGINT DEFAULT '0' NOT NULL,
    reward_fen BIGINT,
    approved_by TEXT,
    claim_until DATE,
    paid_by TEXT,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tips PRIMARY KEY (tip_id),
    CONSTRAINT uq_tips_claim_key UNIQUE (claim_key),
    CONSTRAINT ck_tips_kind CHECK (kind IN ({KINDS})),
    CONSTRAINT ck_tips_state CHECK (state IN ('received', 'dismissed', 'known_before', 'accepted', 'proved',
        'not_proved', 'reward_calculated', 'reward_approved', 'reward_claimed', 'reward_expired', 'reward_paid')),
    CONSTRAINT ck_tips_four_eyes CHECK (approved_by <> screened_by)
)""",
    "CREATE INDEX ix_tips_case_id ON grid.tips (case_id)",
    "CREATE INDEX ix_tips_subject ON grid.tips (subject)",
    "COMMENT ON TABLE grid.tips IS 'tips; no route of the village or the grid reads them'",
    "COMMENT ON COLUMN grid.tips.claim_key IS 'hash of the code the reporter keeps'",
    "COMMENT ON COLUMN grid.tips.sealed IS 'AES-GCM of JSON {text, name, phone, account}'",
    """CREATE TABLE grid.tip_steps (
    tip_id UUID NOT NULL,
    step_no BIGINT GENERATED ALWAYS AS IDENTITY,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    happened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tip_steps PRIMARY KEY (tip_id, step_no),
    CONSTRAINT fk_tip_steps_tip_id_tips FOREIGN KEY (tip_id) REFERENCES grid.tips (tip_id)
)""",
    """COMMENT ON TABLE grid.tip_steps IS
    'who did what with a tip, and who read the reporter''s name; rows are only added'""",
    "COMMENT ON COLUMN grid.tip_steps.action IS 'a step, or `revealed`: somebody read who reported'",
    """CREATE TABLE grid.recovered (
    overpayment_id UUID NOT NULL,
    case_id UUID NOT NULL,
    recovered_fen BIGINT NOT NULL,
    closed BOOLEAN NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_recovered PRIMARY KEY (overpayment_id)
)""",
    "CREATE INDEX ix_recovered_case_id ON grid.recovered (case_id)",
    "COMMENT ON TABLE grid.recovered IS 'what came back of the overpayments of a case, as recognition says'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("recovered", "tip_steps", "tips", "stop_requests"):
        op.execute(f"DROP TABLE grid.{table}")
