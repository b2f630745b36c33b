-- What an authority knows about those below it. A subordinate is dropped by `removed_at`, and stops when its last
-- statement expires.
CREATE TABLE subordinates (
    entity_id          TEXT PRIMARY KEY NOT NULL,
    jwks               TEXT NOT NULL,
    entity_types       TEXT NOT NULL,
    metadata           TEXT,
    metadata_policy    TEXT,
    constraints        TEXT,
    intermediate_since BIGINT,
    added_at           BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL,
    removed_at         BIGINT
);

-- Trust marks that this entity has issued, as far as listings and status need them.
CREATE TABLE issued_trust_marks (
    trust_mark_type TEXT NOT NULL,
    subject         TEXT NOT NULL,
    issued_at       BIGINT NOT NULL,
    expires_at      BIGINT,
    revoked_at      BIGINT,
    PRIMARY KEY (trust_mark_type, subject)
);
