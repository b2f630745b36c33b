-- Clients that register themselves (OpenID Connect Dynamic Client Registration 1.0, RFC 7591, RFC 7592), and secrets that must be known.

-- The secret itself, encrypted: only where the client's methods need more than its hash (client_secret_jwt, keys derived from it).
ALTER TABLE clients ADD COLUMN sealed_secret BYTEA;
-- When the secret stops working; NULL: never.
ALTER TABLE clients ADD COLUMN secret_expires_at BIGINT;
-- SHA-256 of the registration access token. NULL: an operator registered the client and vouches for it.
ALTER TABLE clients ADD COLUMN registration_token BYTEA;

-- Initial access tokens (RFC 7591 §1.2): who holds one may register clients.
CREATE TABLE registration_tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    -- SHA-256 of the token.
    token      BYTEA NOT NULL UNIQUE,
    -- Registrations that are left.
    uses_left  BIGINT NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX registration_tokens_expires ON registration_tokens (expires_at);
