-- What an authority found out about those below it, for its map: the name they are vouched for with, until when a chain to them
-- holds, or why there is none. `subordinates` and `subtree_members` say who they are.
CREATE TABLE subtree_states (
    entity_id  TEXT PRIMARY KEY NOT NULL,
    name       TEXT,
    -- Where it differs.
    name_en    TEXT,
    -- Names and identifier in lower case, to search by.
    folded     TEXT NOT NULL,
    -- Its entity types, separated by blanks.
    types      TEXT NOT NULL,
    -- Of the chain; NULL when there is none.
    expires_at BIGINT,
    -- Types of the trust marks that counted, separated by blanks.
    marks      TEXT NOT NULL,
    -- Why there is no chain, as a code.
    fault      TEXT,
    seen_at    BIGINT NOT NULL,
    -- From then on it is looked up again.
    due_at     BIGINT NOT NULL
);
CREATE INDEX subtree_states_due ON subtree_states (due_at);
