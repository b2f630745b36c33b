-- The development stand-in of the population register and of the SMS gateway: synthetic people, messages to read.
CREATE TABLE register_people (
    number TEXT PRIMARY KEY NOT NULL,
    name   TEXT NOT NULL,
    phone  TEXT NOT NULL
);

CREATE TABLE register_messages (
    seq       BIGINT PRIMARY KEY NOT NULL,
    recipient TEXT NOT NULL,
    text      TEXT NOT NULL,
    code      TEXT,
    sent_at   BIGINT NOT NULL
);
CREATE INDEX register_messages_recipient ON register_messages (recipient, seq);

-- How the stand-in behaves: delay in milliseconds, and whether it fails.
CREATE TABLE register_control (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
