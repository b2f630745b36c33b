-- Notices to phones that something happened to an account: written with the act, gone once they are sent or given up.
CREATE TABLE notices (
    id         TEXT PRIMARY KEY NOT NULL,
    -- Whose account it was.
    person     TEXT NOT NULL,
    -- Encrypted for this row.
    phone      BYTEA NOT NULL,
    -- Which text, in which language: words are found when it is sent.
    text       TEXT NOT NULL,
    language   TEXT NOT NULL,
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    give_up_at BIGINT NOT NULL
);
CREATE INDEX notices_next ON notices (next_at);
