-- Those who operate this entity at its console.
CREATE TABLE operators (
    id          TEXT PRIMARY KEY NOT NULL,
    name        TEXT NOT NULL,
    -- separated by blanks
    roles       TEXT NOT NULL,
    added_at    BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE operator_passkeys (
    credential_id BYTEA PRIMARY KEY NOT NULL,
    operator      TEXT NOT NULL,
    name          TEXT NOT NULL,
    -- JSON of webauthn-rs: public key, counter, flags
    passkey       TEXT NOT NULL,
    added_at      BIGINT NOT NULL,
    last_used_at  BIGINT
);
CREATE INDEX operator_passkeys_operator ON operator_passkeys (operator);

-- One-time invitations. `id` becomes the operator's.
CREATE TABLE operator_invitations (
    id         TEXT PRIMARY KEY NOT NULL,
    hash       BYTEA NOT NULL,
    name       TEXT NOT NULL,
    roles      TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE UNIQUE INDEX operator_invitations_hash ON operator_invitations (hash);

-- Sign-ins at the console, by the hash of the cookie's handle.
CREATE TABLE operator_sessions (
    hash       BYTEA PRIMARY KEY NOT NULL,
    operator   TEXT NOT NULL,
    begun_at   BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX operator_sessions_operator ON operator_sessions (operator);

-- The log is read newest first.
CREATE INDEX audit_events_newest ON audit_events (at, id);
