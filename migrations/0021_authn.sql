-- Proofs of being the same person as before.
CREATE TABLE passwords (
    person     TEXT PRIMARY KEY NOT NULL,
    -- PHC string of argon2id
    phc        TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Codes sent by SMS. `target` is the keyed hash of the phone, `code` that of the digits; `context` is the one form that may use it.
CREATE TABLE sms_codes (
    target     BYTEA NOT NULL,
    context    TEXT NOT NULL,
    code       BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (target, context)
);
CREATE INDEX sms_codes_expires ON sms_codes (expires_at);

-- When a phone last got a message, and how many in its window.
CREATE TABLE sms_sends (
    target       BYTEA PRIMARY KEY NOT NULL,
    sent_at      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    sent         BIGINT NOT NULL
);

-- Tries per (what, whom, from where), counted before the answer is known. `hash` is keyed: addresses and phones are guessable.
CREATE TABLE throttles (
    hash         BYTEA PRIMARY KEY NOT NULL,
    window_start BIGINT NOT NULL,
    window_end   BIGINT NOT NULL,
    tries        BIGINT NOT NULL
);
CREATE INDEX throttles_end ON throttles (window_end);

CREATE TABLE passkeys (
    credential_id BYTEA PRIMARY KEY NOT NULL,
    person        TEXT NOT NULL,
    -- Its public name in addresses.
    handle        TEXT NOT NULL,
    name          TEXT NOT NULL,
    -- JSON of webauthn-rs: public key, counter, flags
    passkey       TEXT NOT NULL,
    added_at      BIGINT NOT NULL,
    last_used_at  BIGINT
);
CREATE UNIQUE INDEX passkeys_person ON passkeys (person, handle);

-- WebAuthn ceremonies under way; deleted by their one use.
CREATE TABLE ceremonies (
    hash       BYTEA PRIMARY KEY NOT NULL,
    kind       TEXT NOT NULL,
    -- The interaction or session that began it.
    context    TEXT NOT NULL,
    person     TEXT,
    state      TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_expires ON ceremonies (expires_at);

-- How far somebody came in creating or recovering an account, encrypted; bound to one interaction or session.
CREATE TABLE entries (
    hash       BYTEA PRIMARY KEY NOT NULL,
    data       BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX entries_expires ON entries (expires_at);
