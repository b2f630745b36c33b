-- Keys of one entity. A key is announced, active, retired or revoked by which of its times are set.
CREATE TABLE keys (
    kid          TEXT PRIMARY KEY NOT NULL,
    purpose      TEXT NOT NULL,
    alg          TEXT NOT NULL,
    public_jwk   TEXT,
    wrapped      BYTEA,
    created_at   BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT,
    revoked_at   BIGINT
);
-- One signing key and one spare for each purpose and algorithm, however many nodes start at once.
CREATE UNIQUE INDEX keys_active ON keys (purpose, alg)
    WHERE activated_at IS NOT NULL AND retired_at IS NULL AND revoked_at IS NULL;
CREATE UNIQUE INDEX keys_announced ON keys (purpose, alg)
    WHERE activated_at IS NULL AND retired_at IS NULL AND revoked_at IS NULL;
