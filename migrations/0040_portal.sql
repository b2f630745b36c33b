-- A portal: logins under way, its own sessions, logout tokens that were already obeyed.

-- One row per press on the login button. `state` is kept as its hash; nonce and PKCE verifier are encrypted.
CREATE TABLE portal_logins (
    state_hash   BYTEA PRIMARY KEY NOT NULL,
    browser_hash BYTEA NOT NULL,
    issuer       TEXT NOT NULL,
    secrets      BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT
);
CREATE INDEX portal_logins_expiry ON portal_logins (expires_at);

-- `received` (claims, chain) and `tokens` are encrypted; both are emptied when the session ends.
CREATE TABLE portal_sessions (
    handle_hash BYTEA PRIMARY KEY NOT NULL,
    iss         TEXT NOT NULL,
    sub         TEXT NOT NULL,
    sid         TEXT,
    received    BYTEA NOT NULL,
    tokens      BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    ended_by    TEXT
);
CREATE INDEX portal_sessions_sid ON portal_sessions (iss, sid);
CREATE INDEX portal_sessions_sub ON portal_sessions (iss, sub);
CREATE INDEX portal_sessions_expiry ON portal_sessions (expires_at);

-- `jti` of logout tokens, kept until they expire (Back-Channel Logout 1.0 §2.6).
CREATE TABLE portal_logout_tokens (
    jti_hash   BYTEA PRIMARY KEY NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX portal_logout_tokens_expiry ON portal_logout_tokens (expires_at);
