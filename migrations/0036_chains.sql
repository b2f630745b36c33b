-- Trust chains that the nodes of this entity remember: logins go on with them after a restart while superiors are away, and
-- an operator sees what ends when. Written by a job when something changes; what is read is verified like any chain.
CREATE TABLE remembered_chains (
    subject         TEXT NOT NULL,
    -- The anchor that was asked for; empty: any that is accepted.
    asked_anchor    TEXT NOT NULL,
    -- Where the chain ends.
    anchor          TEXT NOT NULL,
    -- The statements, subject first, as a JSON array.
    statements      TEXT NOT NULL,
    expires_at      BIGINT NOT NULL,
    -- When all superiors gave what was asked.
    renewed_at      BIGINT NOT NULL,
    used_at         BIGINT NOT NULL,
    failures        BIGINT NOT NULL,
    failed_at       BIGINT,
    failure         TEXT,
    next_attempt_at BIGINT NOT NULL,
    PRIMARY KEY (subject, asked_anchor)
);
CREATE INDEX remembered_chains_expires_at ON remembered_chains (expires_at);
CREATE INDEX remembered_chains_used_at ON remembered_chains (used_at);
