-- What happened. Rows are inserted unchained (seq, chain NULL) in the transaction of the act; one job seals them in order.
CREATE TABLE audit_events (
    id      TEXT PRIMARY KEY NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- Who did it and whom it concerns: two columns from the start, since people will act for others.
    actor   TEXT,
    subject TEXT,
    client  TEXT,
    session TEXT,
    -- JSON object; never personal data, tokens or codes.
    detail  TEXT NOT NULL,
    seq     BIGINT,
    chain   BYTEA
);
CREATE INDEX audit_events_unsealed ON audit_events (at, id) WHERE seq IS NULL;
CREATE UNIQUE INDEX audit_events_seq ON audit_events (seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_events_subject ON audit_events (subject, at);

CREATE TABLE audit_checkpoints (
    seq BIGINT PRIMARY KEY NOT NULL,
    at  BIGINT NOT NULL,
    jws TEXT NOT NULL
);
