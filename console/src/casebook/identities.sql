-- Accounts that log in by the OpenID provider, and have no password. Without an identity: not enrolled yet.
CREATE TABLE identities (
    person   INTEGER PRIMARY KEY REFERENCES people (n),
    identity TEXT UNIQUE, -- keyed hash of the provider and its name for somebody, which nobody can change there
    bound    INTEGER
) STRICT;
CREATE TRIGGER identities_begin_unbound BEFORE INSERT ON identities
WHEN NEW.identity IS NOT NULL OR NEW.bound IS NOT NULL
    OR EXISTS (SELECT 1 FROM people p WHERE p.n = NEW.person AND p.password IS NOT NULL)
BEGIN SELECT raise(ABORT, 'whoever logs in by the provider begins without an identity, and has no password'); END;
-- The account's one-time token, used up in the same moment, binds it, or binds it anew; nothing else does.
CREATE TRIGGER identities_are_bound_by_tokens BEFORE UPDATE ON identities
WHEN NEW.person <> OLD.person OR NEW.identity IS NULL
    OR NOT EXISTS (SELECT 1 FROM tokens t WHERE t.person = NEW.person AND t.used = NEW.bound AND t.until > t.used)
BEGIN SELECT raise(ABORT, 'an identity is bound by a one-time token of the account'); END;
CREATE TRIGGER passwords_stay_out BEFORE UPDATE OF password ON people
WHEN NEW.password IS NOT NULL AND EXISTS (SELECT 1 FROM identities i WHERE i.person = NEW.n)
BEGIN SELECT raise(ABORT, 'whoever logs in by the provider has no password'); END;
