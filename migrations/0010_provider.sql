-- Sessions, interactions, consents and grants of an OpenID Provider.

CREATE TABLE sessions (
    -- SHA-256 of the secret handle in the cookie.
    handle     BYTEA PRIMARY KEY NOT NULL,
    id         TEXT NOT NULL,
    -- Whose session it is, and who acts in it: two columns from the start, since people will act for others.
    subject    TEXT NOT NULL,
    actor      TEXT NOT NULL,
    -- JSON array of {"factor", "at"}.
    proofs     TEXT NOT NULL,
    auth_time  BIGINT NOT NULL,
    begun_at   BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    device     TEXT NOT NULL,
    ended_at   BIGINT,
    ended_why  TEXT,
    -- When the relying parties of the ended session were put into the queue of logout_deliveries.
    told_at    BIGINT
);
CREATE INDEX sessions_id ON sessions (id);
CREATE INDEX sessions_subject ON sessions (subject, begun_at);
CREATE INDEX sessions_untold ON sessions (ended_at) WHERE ended_at IS NOT NULL AND told_at IS NULL;
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE interactions (
    id               TEXT PRIMARY KEY NOT NULL,
    -- SHA-256 of the browser's secret.
    browser          BYTEA NOT NULL,
    -- JSON: what was asked for and by whom.
    purpose          TEXT NOT NULL,
    session          TEXT,
    -- When the person authenticated in this interaction, said yes in it, put off the real-name verification in it.
    authenticated_at BIGINT,
    consented_at     BIGINT,
    put_off_at       BIGINT,
    begun_at         BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    completed_at     BIGINT
);
CREATE INDEX interactions_expires ON interactions (expires_at);

-- Authorization requests that wait for their browser: pushed (RFC 9126), or parked because they came by POST from another site.
CREATE TABLE waiting_requests (
    -- SHA-256 of the random part of the request_uri.
    reference  BYTEA PRIMARY KEY NOT NULL,
    -- NULL: parked, nobody has authenticated.
    client     TEXT,
    -- JSON array of [name, value].
    parameters TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX waiting_requests_expires ON waiting_requests (expires_at);

-- What may be used once until its own expiry: jti of assertions and request objects.
CREATE TABLE replay_marks (
    mark       BYTEA PRIMARY KEY NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replay_marks_expires ON replay_marks (expires_at);

CREATE TABLE consents (
    subject      TEXT NOT NULL,
    client       TEXT NOT NULL,
    id           TEXT NOT NULL,
    actor        TEXT NOT NULL,
    scope        TEXT NOT NULL,
    -- JSON array of claim names.
    claims       TEXT NOT NULL,
    -- The platform's name as it was shown.
    platform     TEXT NOT NULL,
    given_at     BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    withdrawn_at BIGINT,
    PRIMARY KEY (subject, client)
);

CREATE TABLE grants (
    -- base64url of the SHA-256 of the authorization code: the code finds its grant, the grant does not tell its code.
    id              TEXT PRIMARY KEY NOT NULL,
    subject         TEXT NOT NULL,
    actor           TEXT NOT NULL,
    client          TEXT NOT NULL,
    session         TEXT,
    -- JSON: what the code is bound to and what the tokens will say.
    terms           TEXT NOT NULL,
    -- The pushed request that this grant answers; unique, so that a request is answered once.
    pushed          BYTEA UNIQUE,
    issued_at       BIGINT NOT NULL,
    code_expires_at BIGINT NOT NULL,
    redeemed_at     BIGINT,
    -- Until when it works without its session (scope offline_access).
    offline_until   BIGINT,
    -- Nothing issued from this grant lives longer.
    expires_at      BIGINT NOT NULL,
    revoked_at      BIGINT,
    revoked_why     TEXT
);
CREATE INDEX grants_session ON grants (session);
CREATE INDEX grants_subject ON grants (subject, client);
CREATE INDEX grants_expires ON grants (expires_at);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token.
    token      BYTEA PRIMARY KEY NOT NULL,
    grant_id   TEXT NOT NULL,
    scope      TEXT NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- First use; repeated within the grace it gets a sibling, later it ends the family.
    used_at    BIGINT
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_at);

-- The queue of back-channel logout.
CREATE TABLE logout_deliveries (
    id           TEXT PRIMARY KEY NOT NULL,
    session      TEXT NOT NULL,
    subject      TEXT NOT NULL,
    client       TEXT NOT NULL,
    -- The platform's name as the person knows it.
    platform     TEXT NOT NULL,
    -- NULL: the platform has no back channel and cannot be told.
    uri          TEXT,
    sub          TEXT NOT NULL,
    sid          TEXT NOT NULL,
    alg          TEXT NOT NULL,
    attempts     BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    give_up_at   BIGINT NOT NULL,
    delivered_at BIGINT,
    failed_at    BIGINT,
    UNIQUE (session, client)
);
CREATE INDEX logout_deliveries_due ON logout_deliveries (due_at) WHERE delivered_at IS NULL AND failed_at IS NULL;

-- Clients registered by an operator's hand.
CREATE TABLE clients (
    id         TEXT PRIMARY KEY NOT NULL,
    -- JSON object with the names of OpenID Connect Dynamic Client Registration 1.0.
    metadata   TEXT NOT NULL,
    -- SHA-256 of the random secret.
    secret     BYTEA,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    removed_at BIGINT
);
