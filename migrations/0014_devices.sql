-- Device authorization (RFC 8628), and access tokens that were revoked before their time (RFC 7009).

CREATE TABLE device_codes (
    -- SHA-256 of the code that the device holds.
    code       BYTEA PRIMARY KEY NOT NULL,
    -- Keyed hash of the short code that the person types.
    user_code  BYTEA NOT NULL UNIQUE,
    client     TEXT NOT NULL,
    -- What is asked for, by whom, from where: JSON, encrypted.
    asked      BYTEA NOT NULL,
    asked_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Seconds between two polls; grows with every poll that comes too soon.
    pause      BIGINT NOT NULL,
    polled_at  BIGINT,
    -- The grant that a person's yes made; or when somebody said no.
    grant_id   TEXT,
    refused_at BIGINT,
    -- When the device got its tokens.
    used_at    BIGINT
);
CREATE INDEX device_codes_expires ON device_codes (expires_at);

CREATE TABLE revoked_tokens (
    -- SHA-256 of the access token's jti.
    token      BYTEA PRIMARY KEY NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expires ON revoked_tokens (expires_at);
