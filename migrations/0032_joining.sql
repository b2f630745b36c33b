-- How a subordinate stands: vouched for, suspended, or with keys that are in other hands; until when, and who is told.
ALTER TABLE subordinates ADD COLUMN suspended_at BIGINT;
ALTER TABLE subordinates ADD COLUMN compromised_at BIGINT;
ALTER TABLE subordinates ADD COLUMN enrolled_until BIGINT;
-- A JSON array of mail addresses and https addresses.
ALTER TABLE subordinates ADD COLUMN contacts TEXT;

-- Keys that were in other hands once: nobody vouches for them again, under whatever name.
CREATE TABLE compromised_keys (
    thumbprint TEXT PRIMARY KEY NOT NULL,
    entity_id  TEXT NOT NULL,
    noted_at   BIGINT NOT NULL
);

-- What entities ask of this authority: to be enrolled (`join`), to have other keys (`keys`).
CREATE TABLE join_requests (
    id           TEXT PRIMARY KEY NOT NULL,
    -- SHA-256 of the handle by which its state is looked up.
    reference    BYTEA NOT NULL,
    kind         TEXT NOT NULL,
    entity_id    TEXT NOT NULL,
    -- The federation keys as they were found then; an approval is about these and no others.
    jwks         TEXT NOT NULL,
    entity_types TEXT NOT NULL,
    -- What it said of itself, for whoever decides.
    metadata     TEXT NOT NULL,
    contacts     TEXT NOT NULL,
    -- What the applicant was told besides.
    notes        TEXT NOT NULL,
    -- SHA-256 of the signed request for other keys: each works once.
    proof        BYTEA,
    state        TEXT NOT NULL,
    filed_at     BIGINT NOT NULL,
    decided_at   BIGINT,
    reason       TEXT
);
CREATE UNIQUE INDEX join_requests_reference ON join_requests (reference);
CREATE UNIQUE INDEX join_requests_open ON join_requests (entity_id, kind) WHERE decided_at IS NULL;
CREATE UNIQUE INDEX join_requests_proof ON join_requests (proof) WHERE proof IS NOT NULL;
CREATE INDEX join_requests_decided ON join_requests (decided_at);

-- What the contacts of an entity are told. Those with an https address are posted to; mail waits here for whoever sends it.
CREATE TABLE contact_notices (
    id         TEXT PRIMARY KEY NOT NULL,
    entity_id  TEXT NOT NULL,
    contact    TEXT NOT NULL,
    event      TEXT NOT NULL,
    -- For the reader; empty when the event says all.
    detail     TEXT NOT NULL,
    noted_at   BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    -- Null: no machine delivers it, or it is delivered or given up.
    next_at    BIGINT,
    told_at    BIGINT
);
CREATE INDEX contact_notices_next ON contact_notices (next_at);
CREATE INDEX contact_notices_noted ON contact_notices (noted_at);
