-- Relying parties that registered explicitly (OpenID Federation 1.0 §12.2). A registration is its chain: the request first, the
-- anchor last; everything else is read from it.
CREATE TABLE explicit_registrations (
    client        TEXT PRIMARY KEY NOT NULL,
    -- JSON array of the chain's statements.
    statements    TEXT NOT NULL,
    -- When the request was made: an older one does not replace a newer one.
    issued_at     BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    -- The chain's expiry.
    expires_at    BIGINT NOT NULL
);
CREATE INDEX explicit_registrations_expires ON explicit_registrations (expires_at);

-- Platforms of the federation with grants, as a job last found them: until when their superiors' word holds, and where they are
-- told of logouts. `ended_at`: that word ended, and with it the grants.
CREATE TABLE federation_clients (
    client        TEXT PRIMARY KEY NOT NULL,
    vouched_until BIGINT NOT NULL,
    back_channel  TEXT,
    -- Under which algorithm its tokens are encrypted; NULL: they are not.
    encryption    TEXT,
    ended_at      BIGINT,
    ended_why     TEXT
);

-- The job walks over the clients of living grants.
CREATE INDEX grants_client ON grants (client) WHERE revoked_at IS NULL;
