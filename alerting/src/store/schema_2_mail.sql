-- Mails are made of what waits, when its time has come: notices. And programs are told, too.

-- When a recipient was first planned for; from then on signs of life are counted.
ALTER TABLE recipients ADD COLUMN since INTEGER;

-- An alert of which a recipient is still to be told: by its latest telling. Gone once it is in a mail.
CREATE TABLE notice (
    recipient INTEGER NOT NULL REFERENCES recipients (n),
    alert     INTEGER NOT NULL REFERENCES alerts (n),
    history   INTEGER NOT NULL REFERENCES alert_history (seq),
    detector  TEXT NOT NULL,
    region    TEXT NOT NULL,
    severity  INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3), -- the gravest since it waits
    open      INTEGER NOT NULL CHECK (open IN (0, 1)),
    wide      TEXT,             -- the month, if it is part of a failure of the whole region
    since     INTEGER NOT NULL, -- of the oldest telling that waits
    PRIMARY KEY (recipient, alert)
) STRICT, WITHOUT ROWID;

ALTER TABLE mail ADD COLUMN kind TEXT NOT NULL DEFAULT 'single' CHECK (kind IN
    ('single', 'group', 'wide', 'digest', 'batch', 'overflow', 'reminder', 'life'));
ALTER TABLE mail ADD COLUMN note TEXT; -- JSON: what a sign of life says
UPDATE mail SET kind = 'batch' WHERE alert IS NULL;
CREATE INDEX mail_by_time ON mail (since);

-- What a mail tells: each alert by its latest telling, against the one that the recipient knows.
CREATE TABLE mail_item (
    mail    INTEGER NOT NULL REFERENCES mail (seq),
    history INTEGER NOT NULL REFERENCES alert_history (seq),
    alert   INTEGER NOT NULL REFERENCES alerts (n),
    before  INTEGER REFERENCES alert_history (seq),
    kind    TEXT NOT NULL CHECK (kind IN ('raised', 'reopened', 'changed', 'cleared', 'withdrawn')),
    PRIMARY KEY (mail, history)
) STRICT, WITHOUT ROWID;
INSERT INTO mail_item (mail, history, alert, before, kind)
    SELECT m.seq, h.seq, h.alert, b.seq, h.kind
    FROM mail m, json_each(m.content) c JOIN alert_history h ON h.seq = c.value
    LEFT JOIN alert_history b ON b.alert = h.alert AND b.revision = h.revision - 1;
CREATE INDEX mail_item_by_alert ON mail_item (alert, mail);
ALTER TABLE mail DROP COLUMN content;

-- What a recipient was last told of an alert, and the first mail on it, under which the others go.
CREATE TABLE mailed (
    recipient INTEGER NOT NULL REFERENCES recipients (n),
    alert     INTEGER NOT NULL REFERENCES alerts (n),
    history   INTEGER NOT NULL REFERENCES alert_history (seq),
    first_id  TEXT NOT NULL,
    PRIMARY KEY (recipient, alert)
) STRICT, WITHOUT ROWID;
INSERT INTO mailed (recipient, alert, history, first_id)
    SELECT m.recipient, i.alert, max(i.history),
        (SELECT f.message_id FROM mail_item j JOIN mail f ON f.seq = j.mail
         WHERE j.alert = i.alert AND f.recipient = m.recipient ORDER BY f.seq LIMIT 1)
    FROM mail_item i JOIN mail m ON m.seq = i.mail GROUP BY m.recipient, i.alert;

-- When a detector in a region was last told of to a recipient. `wide` is '' or a month.
CREATE TABLE mail_group (
    recipient INTEGER NOT NULL REFERENCES recipients (n),
    detector  TEXT NOT NULL,
    region    TEXT NOT NULL,
    wide      TEXT NOT NULL,
    last      INTEGER NOT NULL,
    repeats   INTEGER NOT NULL,
    PRIMARY KEY (recipient, detector, region, wide)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_month ON alerts (detector, region, period, state);

-- Mails on these alerts are held back. NULL matches all.
CREATE TABLE silence (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    detector TEXT,
    region   TEXT,
    alert    TEXT, -- an alert's id
    reason   TEXT NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    ended    INTEGER
) STRICT;

-- What programs have not acknowledged, or have refused for good.
CREATE TABLE hook_outbox (
    hook       TEXT NOT NULL,
    history    INTEGER NOT NULL REFERENCES alert_history (seq),
    alert      INTEGER NOT NULL REFERENCES alerts (n),
    state      TEXT NOT NULL CHECK (state IN ('pending', 'refused')),
    attempts   INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    last_error TEXT,
    PRIMARY KEY (hook, history)
) STRICT, WITHOUT ROWID;
CREATE INDEX hook_outbox_by_alert ON hook_outbox (hook, alert, history) WHERE state = 'pending';
