-- What was found, what was told, and what is still to be told. Times are milliseconds since 1970,
-- business dates and amounts are text as in the alert; `_fen` columns are saturated, for sorting.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a key, with the alert as it is now; of a withdrawn one, as it last was.
CREATE TABLE alerts (
    n          INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    detector   TEXT NOT NULL,
    subject    TEXT NOT NULL,
    region     TEXT NOT NULL,
    period     TEXT,
    item       TEXT,
    state      TEXT NOT NULL CHECK (state IN ('open', 'cleared')),
    severity   INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3), -- blue, yellow, orange, red
    amount     TEXT NOT NULL,
    amount_fen INTEGER NOT NULL,
    peak       TEXT NOT NULL,
    peak_fen   INTEGER NOT NULL,
    opened_on  TEXT NOT NULL,
    cleared_on TEXT,
    json       TEXT NOT NULL,
    revision   INTEGER NOT NULL, -- how often it was told
    withdrawn  INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    told       TEXT NOT NULL,    -- JSON: recipients, who hear of its further life whatever the routing says
    first_told INTEGER NOT NULL,
    last_told  INTEGER NOT NULL
) STRICT;
CREATE INDEX alerts_by_detector ON alerts (detector, state, severity);
CREATE INDEX alerts_by_region ON alerts (region, state, severity);

-- One row a telling, never changed: what the outboxes refer to.
CREATE TABLE alert_history (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    alert      INTEGER NOT NULL REFERENCES alerts (n),
    revision   INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('raised', 'reopened', 'changed', 'cleared', 'withdrawn')),
    cause      TEXT,
    severity   INTEGER NOT NULL,
    weight_fen INTEGER NOT NULL, -- the amount if open, else the peak
    json       TEXT NOT NULL,
    told_at    INTEGER NOT NULL,
    UNIQUE (alert, revision)
) STRICT;

-- What the alerts topic has not acknowledged.
CREATE TABLE topic_outbox (
    history INTEGER PRIMARY KEY REFERENCES alert_history (seq),
    since   INTEGER NOT NULL
) STRICT;

CREATE TABLE recipients (
    n        INTEGER PRIMARY KEY,
    address  TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('zh', 'en'))
) STRICT;

-- One mail to one recipient: of one telling, or a digest of many.
CREATE TABLE mail (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient  INTEGER NOT NULL REFERENCES recipients (n),
    alert      INTEGER REFERENCES alerts (n), -- NULL: a digest
    content    TEXT NOT NULL, -- JSON: `seq`s of the history
    message_id TEXT NOT NULL UNIQUE,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed')),
    attempts   INTEGER NOT NULL,
    due        INTEGER NOT NULL, -- not to be tried before
    since      INTEGER NOT NULL,
    settled    INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX mail_unsettled ON mail (recipient, alert, seq) WHERE state IN ('pending', 'sending');
CREATE INDEX mail_due ON mail (due) WHERE state = 'pending';
CREATE INDEX mail_pending ON mail (seq) WHERE state = 'pending';
CREATE INDEX mail_failed ON mail (seq) WHERE state = 'failed';

CREATE TABLE dead_letter (
    n        INTEGER PRIMARY KEY,
    topic    TEXT NOT NULL,
    position TEXT NOT NULL,
    reason   TEXT NOT NULL,
    field    TEXT,
    raw      BLOB NOT NULL,
    epoch    INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    pending  INTEGER NOT NULL CHECK (pending IN (0, 1)), -- not yet acknowledged by its topic
    UNIQUE (topic, position)
) STRICT;
CREATE INDEX dead_letter_pending ON dead_letter (n) WHERE pending = 1;

CREATE TABLE feed_totals (
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    read        INTEGER NOT NULL,
    accepted    INTEGER NOT NULL,
    redelivered INTEGER NOT NULL,
    rejected    TEXT NOT NULL, -- JSON: reason to number
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE offsets (
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed_as_of (
    topic  TEXT NOT NULL,
    region TEXT NOT NULL,
    closed TEXT NOT NULL,
    PRIMARY KEY (topic, region)
) STRICT, WITHOUT ROWID;
