-- The casebook: people, sessions, cases, decisions, letters, and the audit trail. Times are milliseconds since 1970,
-- business dates are text. No full resident ID number stands here: subjects of persons are masked, and found again by a
-- keyed hash. What was found itself stays in the alerts' store, which the console only reads.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE people (
    n         INTEGER PRIMARY KEY,
    login     TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name      TEXT NOT NULL,
    role      TEXT NOT NULL CHECK (role IN ('viewer', 'reviewer', 'supervisor', 'auditor', 'administrator')),
    regions   TEXT NOT NULL,              -- '*', or codes with commas between them
    password  TEXT,                       -- PHC string; NULL until enrolled
    totp      TEXT,                       -- base32; NULL: no second factor
    totp_step INTEGER NOT NULL DEFAULT 0, -- the last one used: a code counts once
    disabled  INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    since     INTEGER NOT NULL
) STRICT;

-- One-time tokens to enrol with, by hash.
CREATE TABLE tokens (
    hash   TEXT PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES people (n),
    until  INTEGER NOT NULL,
    used   INTEGER
) STRICT, WITHOUT ROWID;

-- By hash: whoever reads the file has no session.
CREATE TABLE sessions (
    hash   TEXT PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES people (n),
    csrf   TEXT NOT NULL,
    since  INTEGER NOT NULL,
    seen   INTEGER NOT NULL,
    ended  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_person ON sessions (person) WHERE ended IS NULL;

-- A case for each alert, with what the queue shows of it.
CREATE TABLE cases (
    n             INTEGER PRIMARY KEY,
    alert         TEXT NOT NULL UNIQUE,
    detector      TEXT NOT NULL,
    subject       TEXT NOT NULL, -- a person's is masked
    subject_key   TEXT NOT NULL, -- keyed hash of the subject in full
    region        TEXT NOT NULL,
    period        TEXT,
    item          TEXT,
    standing      TEXT NOT NULL CHECK (standing IN ('open', 'cleared', 'withdrawn')),
    severity      INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3),
    weight_fen    INTEGER NOT NULL, -- the amount if open, else the peak; saturated
    number_match  INTEGER NOT NULL DEFAULT 0 CHECK (number_match IN (0, 1)), -- of numbers alone: nobody is called dead for it
    revision      INTEGER NOT NULL, -- of the alert
    news          TEXT NOT NULL,    -- as what it was last told
    first_told    INTEGER NOT NULL,
    last_told     INTEGER NOT NULL,
    due           TEXT,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'working', 'review', 'closed', 'snoozed')),
    stage         TEXT CHECK (stage IN ('to-issue', 'issued', 'acknowledged', 'verified', 'rectified')),
    assignee      INTEGER REFERENCES people (n),
    proposer      INTEGER REFERENCES people (n), -- of the decision that waits
    snoozed_until TEXT,
    snooze_worse  INTEGER NOT NULL DEFAULT 0 CHECK (snooze_worse IN (0, 1)),
    fresh         INTEGER NOT NULL DEFAULT 0 CHECK (fresh IN (0, 1)), -- evidence that is newer than the last decision
    overdue       INTEGER NOT NULL DEFAULT 0 CHECK (overdue IN (0, 1)),
    rank          INTEGER NOT NULL, -- overdue, then open, then severity
    active        INTEGER NOT NULL GENERATED ALWAYS AS (state <> 'closed') STORED,
    version       INTEGER NOT NULL DEFAULT 1
) STRICT;
-- The queue in its order; what it is filtered by is in the index, so that no row is read for nothing.
CREATE INDEX cases_in_order ON cases (active, rank DESC, weight_fen DESC, region, detector, severity, state, assignee, overdue, proposer, standing, fresh);
CREATE INDEX cases_by_news ON cases (active, last_told DESC, n DESC);
CREATE INDEX cases_by_subject ON cases (subject_key);
CREATE INDEX cases_by_subject_text ON cases (subject);
CREATE INDEX cases_by_due ON cases (due) WHERE overdue = 0 AND state <> 'closed';
CREATE INDEX cases_snoozed ON cases (snoozed_until) WHERE state = 'snoozed';

-- What became of a case, one row a step, never changed. `person` NULL: the program.
CREATE TABLE steps (
    n       INTEGER PRIMARY KEY,
    "case"  INTEGER NOT NULL REFERENCES cases (n),
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    person  INTEGER REFERENCES people (n),
    kind    TEXT NOT NULL,
    note    TEXT NOT NULL
) STRICT;
CREATE INDEX steps_by_case ON steps ("case", n);
CREATE TRIGGER steps_stay BEFORE UPDATE ON steps BEGIN SELECT raise(ABORT, 'steps are never changed'); END;
CREATE TRIGGER steps_remain BEFORE DELETE ON steps BEGIN SELECT raise(ABORT, 'steps are never deleted'); END;

CREATE TABLE decisions (
    n           INTEGER PRIMARY KEY,
    "case"      INTEGER NOT NULL REFERENCES cases (n),
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    codes       TEXT NOT NULL, -- version of the file of codes
    verdict     TEXT NOT NULL CHECK (verdict IN ('hit', 'miss', 'neither')),
    rectify     INTEGER NOT NULL CHECK (rectify IN (0, 1)),
    note        TEXT NOT NULL CHECK (length(trim(note)) > 0),
    proposer    INTEGER NOT NULL REFERENCES people (n),
    proposed_at INTEGER NOT NULL,
    bulk        INTEGER NOT NULL CHECK (bulk IN (0, 1)),
    revision    INTEGER NOT NULL, -- of the alert that was decided on
    severity    INTEGER NOT NULL,
    weight_fen  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('proposed', 'in-force', 'returned', 'superseded')),
    approver    INTEGER REFERENCES people (n),
    settled_at  INTEGER,
    answer      TEXT
) STRICT;
CREATE INDEX decisions_by_case ON decisions ("case", n);
CREATE UNIQUE INDEX decisions_waiting ON decisions ("case") WHERE state = 'proposed';

-- Four eyes: over the threshold, and whatever is closed in bulk.
CREATE TRIGGER four_eyes_on_insert BEFORE INSERT ON decisions
WHEN NEW.state = 'in-force' AND (NEW.bulk = 1 OR NEW.weight_fen >=
    (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'four_eyes_from_fen'))
BEGIN SELECT raise(ABORT, 'four eyes: this decision needs an approver'); END;
CREATE TRIGGER decisions_begin BEFORE INSERT ON decisions
WHEN NEW.approver IS NOT NULL OR NEW.state NOT IN ('proposed', 'in-force')
BEGIN SELECT raise(ABORT, 'a decision begins without an approver'); END;
CREATE TRIGGER four_eyes_on_update BEFORE UPDATE ON decisions
WHEN NEW.state IN ('in-force', 'returned') AND (NEW.approver IS NULL OR NEW.approver = OLD.proposer)
BEGIN SELECT raise(ABORT, 'four eyes: nobody approves what he proposed'); END;
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions
WHEN OLD.state NOT IN ('proposed') AND NOT (OLD.state = 'in-force' AND NEW.state = 'superseded' AND NEW.approver IS OLD.approver)
    OR NEW."case" <> OLD."case" OR NEW.outcome <> OLD.outcome OR NEW.reason <> OLD.reason OR NEW.note <> OLD.note
    OR NEW.proposer <> OLD.proposer OR NEW.proposed_at <> OLD.proposed_at OR NEW.bulk <> OLD.bulk
    OR NEW.revision <> OLD.revision OR NEW.weight_fen <> OLD.weight_fen OR NEW.verdict <> OLD.verdict OR NEW.rectify <> OLD.rectify
BEGIN SELECT raise(ABORT, 'what was decided is never changed'); END;
CREATE TRIGGER decisions_remain BEFORE DELETE ON decisions BEGIN SELECT raise(ABORT, 'decisions are never deleted'); END;
-- Nothing is closed without a decision in force, but what was withdrawn before anybody worked on it.
CREATE TRIGGER closing_needs_a_decision BEFORE UPDATE OF state ON cases
WHEN NEW.state = 'closed' AND OLD.state <> 'closed' AND NEW.standing <> 'withdrawn'
    AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d."case" = NEW.n AND d.state = 'in-force')
BEGIN SELECT raise(ABORT, 'a case is closed by a decision in force'); END;

CREATE TABLE letters (
    n         INTEGER PRIMARY KEY,
    "case"    INTEGER NOT NULL REFERENCES cases (n),
    kind      TEXT NOT NULL CHECK (kind IN ('inspection', 'reminder', 'rectification')),
    year      INTEGER NOT NULL,
    serial    INTEGER NOT NULL,
    html      TEXT NOT NULL,
    hash      TEXT NOT NULL, -- BLAKE3 of the html
    issuer    INTEGER NOT NULL REFERENCES people (n),
    issued_at INTEGER NOT NULL,
    due       TEXT NOT NULL,
    UNIQUE (kind, year, serial)
) STRICT;
CREATE INDEX letters_by_case ON letters ("case", n);
CREATE TRIGGER letters_stay BEFORE UPDATE ON letters BEGIN SELECT raise(ABORT, 'a letter that is issued is never changed'); END;
CREATE TRIGGER letters_remain BEFORE DELETE ON letters BEGIN SELECT raise(ABORT, 'a letter that is issued is never deleted'); END;

-- Append-only, each row with the hash of the one before.
CREATE TABLE audit (
    n        INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    login    TEXT NOT NULL, -- '' of whoever has not logged in
    role     TEXT NOT NULL,
    address  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    ok       INTEGER NOT NULL CHECK (ok IN (0, 1)),
    target   TEXT NOT NULL,
    note     TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_login ON audit (login, n);
CREATE INDEX audit_by_kind ON audit (kind, login, at);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is never changed'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is never deleted'); END;
CREATE TRIGGER audit_is_a_chain BEFORE INSERT ON audit
WHEN NEW.n <> (SELECT coalesce(max(n), 0) + 1 FROM audit)
    OR NEW.previous <> coalesce((SELECT hash FROM audit ORDER BY n DESC LIMIT 1), '')
BEGIN SELECT raise(ABORT, 'the audit trail is a chain'); END;

-- Filters that a person gave a name.
CREATE TABLE views (
    person INTEGER NOT NULL REFERENCES people (n),
    name   TEXT NOT NULL,
    query  TEXT NOT NULL,
    PRIMARY KEY (person, name)
) STRICT, WITHOUT ROWID;
