-- People. Personal data is ciphertext (`Sealer::protect`); what it is found by are keyed hashes in tables of their own.
CREATE TABLE persons (
    id                TEXT PRIMARY KEY NOT NULL,
    created_at        BIGINT NOT NULL,
    closed_at         BIGINT,
    -- rn1 to rn4
    level             TEXT NOT NULL,
    name              BYTEA,
    id_number         BYTEA,
    -- When the register last agreed.
    verified_at       BIGINT,
    -- Bound by name and number only: not released, gives way to a stronger proof.
    provisional_at    BIGINT,
    phone             BYTEA,
    phone_verified_at BIGINT,
    -- Large text and large buttons were chosen for the account.
    elder_at          BIGINT
);

-- One document, one person. While an index key rotates there is one row per key, written in one transaction.
CREATE TABLE documents (
    hash     BYTEA PRIMARY KEY NOT NULL,
    person   TEXT NOT NULL,
    -- match2 (gives way) or match3
    method   TEXT NOT NULL,
    bound_at BIGINT NOT NULL
);
CREATE INDEX documents_person ON documents (person);

-- One verified phone, one person.
CREATE TABLE phones (
    hash        BYTEA PRIMARY KEY NOT NULL,
    person      TEXT NOT NULL,
    verified_at BIGINT NOT NULL
);
CREATE INDEX phones_person ON phones (person);

-- What a relying party knows a person by: random, stored once.
CREATE TABLE subjects (
    person     TEXT NOT NULL,
    sector     TEXT NOT NULL,
    sub        TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, sector)
);
CREATE UNIQUE INDEX subjects_sub ON subjects (sub);

-- Subs of accounts that were merged into another.
CREATE TABLE subject_aliases (
    sub       TEXT PRIMARY KEY NOT NULL,
    sector    TEXT NOT NULL,
    person    TEXT NOT NULL,
    merged_at BIGINT NOT NULL
);
CREATE INDEX subject_aliases_person ON subject_aliases (person);

-- Why a real name is believed.
CREATE TABLE evidence (
    person   TEXT NOT NULL,
    id       TEXT NOT NULL,
    source   TEXT NOT NULL,
    method   TEXT NOT NULL,
    check_id TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (person, id)
);
