CREATE TABLE recognition.peer_certificate (
    peer_id UUID NOT NULL, 
    client_id TEXT NOT NULL, 
    reference TEXT NOT NULL, 
    subject UUID NOT NULL, 
    certificate_id UUID NOT NULL, 
    program TEXT NOT NULL, 
    department TEXT NOT NULL, 
    method TEXT NOT NULL, 
    certified_by TEXT NOT NULL, 
    received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    withdrawn_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_peer_certificate PRIMARY KEY (peer_id), 
    CONSTRAINT uq_peer_certificate_client_id_reference UNIQUE (client_id, reference), 
    CONSTRAINT ck_peer_certificate_method CHECK (method IN ('onsite', 'home', 'video', 'other_region', 'consulate'))
);

CREATE INDEX ix_peer_certificate_subject ON recognition.peer_certificate (subject, certificate_id);

COMMENT ON TABLE recognition.peer_certificate IS 'Certifications peer departments made themselves; recognition works both ways';

COMMENT ON COLUMN recognition.peer_certificate.reference IS 'the department''s own record; the same one is taken once';

COMMENT ON COLUMN recognition.peer_certificate.certified_by IS 'who in the department, as its token says';

ALTER TABLE recognition.revocation ADD COLUMN revoked_by TEXT;

ALTER TABLE recognition.revocation ADD COLUMN grounds TEXT;

COMMENT ON COLUMN recognition.revocation.revoked_by IS 'who took it back, where no decision did';

COMMENT ON COLUMN recognition.revocation.grounds IS 'why, in that person''s words'
