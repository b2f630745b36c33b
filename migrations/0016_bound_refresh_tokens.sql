-- What the refresh token of a public client is bound to (RFC 9449 §5, RFC 8705 §4): the `cnf` that must be proven with it,
-- as JSON. Confidential clients prove themselves; theirs hold NULL.
ALTER TABLE refresh_tokens ADD COLUMN confirmation TEXT;
