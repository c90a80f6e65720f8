-- Tokens that a person's programs come with, by hash: whoever reads the file has none.
CREATE TABLE api_tokens (
    n       INTEGER PRIMARY KEY,
    hash    TEXT NOT NULL UNIQUE,
    person  INTEGER NOT NULL REFERENCES people (n),
    name    TEXT NOT NULL,
    scope   TEXT NOT NULL CHECK (scope IN ('read', 'work')),
    since   INTEGER NOT NULL,
    until   INTEGER NOT NULL CHECK (until > since AND until - since <= 31536000000), -- 365 days
    used    INTEGER, -- the last time, to the minute
    revoked INTEGER
) STRICT;
CREATE INDEX api_tokens_by_person ON api_tokens (person, n);
CREATE TRIGGER api_tokens_stay BEFORE UPDATE ON api_tokens
WHEN NEW.hash <> OLD.hash OR NEW.person <> OLD.person OR NEW.name <> OLD.name OR NEW.scope <> OLD.scope OR NEW.since <> OLD.since
    OR NEW.until <> OLD.until OR (OLD.revoked IS NOT NULL AND NEW.revoked IS NOT OLD.revoked)
BEGIN SELECT raise(ABORT, 'a token is used and revoked, never changed'); END;
CREATE TRIGGER api_tokens_remain BEFORE DELETE ON api_tokens BEGIN SELECT raise(ABORT, 'tokens are never deleted'); END;
