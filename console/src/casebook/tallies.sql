-- The queue without walking it: how many cases there are of each kind and what they weigh, kept as they come and change,
-- and each order of the queue as an index that has all that is filtered by.

CREATE TABLE tallies (
    region     TEXT NOT NULL,
    detector   TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    standing   TEXT NOT NULL,
    state      TEXT NOT NULL,
    assignee   INTEGER,
    awaits     INTEGER,
    overdue    INTEGER NOT NULL,
    active     INTEGER NOT NULL GENERATED ALWAYS AS (state <> 'closed') STORED,
    cases      INTEGER NOT NULL CHECK (cases >= 0),
    -- In two parts: no sum of what is saturated can leave what SQLite counts with.
    weight_e9  INTEGER NOT NULL,
    weight_fen INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tallies_by_kind
ON tallies (region, detector, severity, standing, state, overdue, coalesce(assignee, 0), coalesce(awaits, 0));

INSERT INTO tallies (region, detector, severity, standing, state, assignee, awaits, overdue, cases, weight_e9, weight_fen)
SELECT region, detector, severity, standing, state, assignee, awaits, overdue, count(*), sum(weight_fen / 1000000000), sum(weight_fen % 1000000000)
FROM cases GROUP BY region, detector, severity, standing, state, assignee, awaits, overdue;

CREATE TRIGGER tallies_count_new AFTER INSERT ON cases BEGIN
    INSERT INTO tallies (region, detector, severity, standing, state, assignee, awaits, overdue, cases, weight_e9, weight_fen)
    VALUES (NEW.region, NEW.detector, NEW.severity, NEW.standing, NEW.state, NEW.assignee, NEW.awaits, NEW.overdue,
        1, NEW.weight_fen / 1000000000, NEW.weight_fen % 1000000000)
    ON CONFLICT DO UPDATE SET cases = cases + 1, weight_e9 = weight_e9 + excluded.weight_e9, weight_fen = weight_fen + excluded.weight_fen;
END;
CREATE TRIGGER tallies_count_changed
AFTER UPDATE OF region, detector, severity, standing, state, stage, assignee, proposer, mended_by, overdue, weight_fen ON cases
WHEN (OLD.region, OLD.detector, OLD.severity, OLD.standing, OLD.state, OLD.assignee, OLD.awaits, OLD.overdue, OLD.weight_fen)
    IS NOT (NEW.region, NEW.detector, NEW.severity, NEW.standing, NEW.state, NEW.assignee, NEW.awaits, NEW.overdue, NEW.weight_fen)
BEGIN
    UPDATE tallies SET cases = cases - 1, weight_e9 = weight_e9 - OLD.weight_fen / 1000000000, weight_fen = weight_fen - OLD.weight_fen % 1000000000
    WHERE region = OLD.region AND detector = OLD.detector AND severity = OLD.severity AND standing = OLD.standing AND state = OLD.state
        AND overdue = OLD.overdue AND coalesce(assignee, 0) = coalesce(OLD.assignee, 0) AND coalesce(awaits, 0) = coalesce(OLD.awaits, 0);
    DELETE FROM tallies
    WHERE region = OLD.region AND detector = OLD.detector AND severity = OLD.severity AND standing = OLD.standing AND state = OLD.state
        AND overdue = OLD.overdue AND coalesce(assignee, 0) = coalesce(OLD.assignee, 0) AND coalesce(awaits, 0) = coalesce(OLD.awaits, 0)
        AND cases = 0;
    INSERT INTO tallies (region, detector, severity, standing, state, assignee, awaits, overdue, cases, weight_e9, weight_fen)
    VALUES (NEW.region, NEW.detector, NEW.severity, NEW.standing, NEW.state, NEW.assignee, NEW.awaits, NEW.overdue,
        1, NEW.weight_fen / 1000000000, NEW.weight_fen % 1000000000)
    ON CONFLICT DO UPDATE SET cases = cases + 1, weight_e9 = weight_e9 + excluded.weight_e9, weight_fen = weight_fen + excluded.weight_fen;
END;
CREATE TRIGGER cases_remain BEFORE DELETE ON cases BEGIN SELECT raise(ABORT, 'cases are never deleted'); END;

DROP INDEX cases_by_news;
CREATE INDEX cases_by_news ON cases (active, last_told DESC, n DESC, region, detector, severity, state, assignee, overdue, awaits, standing);
CREATE INDEX cases_by_amount ON cases (active, weight_fen DESC, n, region, detector, severity, state, assignee, overdue, awaits, standing);
CREATE INDEX cases_in_time
ON cases (active, due IS NULL, due, rank DESC, n, region, detector, severity, state, assignee, overdue, awaits, standing);
-- In its order to the last: a page is read off it, not sorted.
DROP INDEX cases_in_order;
CREATE INDEX cases_in_order ON cases (active, rank DESC, weight_fen DESC, n, region, detector, severity, state, assignee, overdue, awaits, standing);
DROP INDEX cases_by_subject_text;
CREATE INDEX cases_by_subject_text ON cases (subject COLLATE NOCASE);
