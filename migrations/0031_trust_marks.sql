-- By whom this entity was let issue marks of a type that has an owner (OpenID Federation 1.0 §7.2).
CREATE TABLE trust_mark_delegations (
    trust_mark_type TEXT PRIMARY KEY NOT NULL,
    delegation      TEXT NOT NULL,
    expires_at      BIGINT,
    stored_at       BIGINT NOT NULL
);

-- Marks that this entity was given, as it shows them in its configuration.
CREATE TABLE held_trust_marks (
    trust_mark_type TEXT NOT NULL,
    issuer          TEXT NOT NULL,
    trust_mark      TEXT NOT NULL,
    issued_at       BIGINT NOT NULL,
    expires_at      BIGINT,
    -- From then on a newer one is fetched, while this one is still shown.
    renew_at        BIGINT NOT NULL,
    PRIMARY KEY (trust_mark_type, issuer)
);

-- Who stands below an authority, at any depth, as the lists of its intermediates said it last.
CREATE TABLE subtree_members (
    entity_id          TEXT NOT NULL,
    -- The intermediate that listed it.
    via                TEXT NOT NULL,
    intermediate_since BIGINT,
    found_at           BIGINT NOT NULL,
    PRIMARY KEY (entity_id, via)
);
CREATE INDEX subtree_members_via ON subtree_members (via);
