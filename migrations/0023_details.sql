-- What a person tells of themself beyond the document: standard claims of OpenID Connect (email, address, nickname …), encrypted.
CREATE TABLE person_details (
    person     TEXT NOT NULL,
    claim      TEXT NOT NULL,
    -- Ciphertext of the JSON value.
    value      BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (person, claim)
);
