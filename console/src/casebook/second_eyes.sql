-- Four eyes by severity and in the mending of a fault, and an end to every snooze.

-- Who reported the fault mended, and who checked it and closed the case.
ALTER TABLE cases ADD COLUMN mended_by INTEGER REFERENCES people (n);
ALTER TABLE cases ADD COLUMN closed_by INTEGER REFERENCES people (n);
-- Whose step waits for the eyes of somebody else.
ALTER TABLE cases ADD COLUMN awaits INTEGER GENERATED ALWAYS AS (
    CASE WHEN state = 'review' THEN proposer WHEN state IN ('pending', 'working') AND stage = 'rectified' THEN mended_by END
) VIRTUAL;
UPDATE cases SET mended_by = (
    SELECT s.person FROM steps s WHERE s."case" = cases.n AND s.kind = 'rectified' ORDER BY s.n DESC LIMIT 1
) WHERE stage = 'rectified';
DROP INDEX cases_in_order;
CREATE INDEX cases_in_order ON cases (active, rank DESC, weight_fen DESC, region, detector, severity, state, assignee, overdue, awaits, standing, fresh);

-- Over the threshold, whatever is red, in bulk, and whatever ends the mending of a fault that was decided on.
DROP TRIGGER four_eyes_on_insert;
CREATE TRIGGER four_eyes_on_insert BEFORE INSERT ON decisions
WHEN NEW.state = 'in-force' AND (NEW.bulk = 1
    OR NEW.weight_fen >= (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'four_eyes_from_fen')
    OR NEW.severity >= 3
    OR EXISTS (SELECT 1 FROM cases c WHERE c.n = NEW."case" AND (c.severity >= 3 OR c.stage IS NOT NULL)))
BEGIN SELECT raise(ABORT, 'four eyes: this decision needs an approver'); END;
CREATE TRIGGER decisions_keep_severity BEFORE UPDATE OF severity ON decisions WHEN NEW.severity <> OLD.severity
BEGIN SELECT raise(ABORT, 'what was decided is never changed'); END;

CREATE TRIGGER mending_is_somebodys BEFORE UPDATE OF stage, mended_by ON cases
WHEN NEW.stage = 'rectified'
    AND (NEW.mended_by IS NULL AND OLD.stage IS NOT 'rectified' OR NEW.mended_by IS NOT OLD.mended_by AND OLD.stage IS 'rectified')
BEGIN SELECT raise(ABORT, 'a fault is mended by somebody, and by the same to the end'); END;
-- A case that is closed from its review was closed by an approver; any other end of the mending is somebody's who did
-- not report it.
CREATE TRIGGER four_eyes_on_mending BEFORE UPDATE OF state ON cases
WHEN NEW.state = 'closed' AND OLD.state NOT IN ('closed', 'review') AND OLD.stage IS NOT NULL
    AND (OLD.stage <> 'rectified' OR OLD.mended_by IS NULL OR NEW.closed_by IS NULL OR NEW.closed_by = OLD.mended_by)
BEGIN SELECT raise(ABORT, 'four eyes: nobody checks what he reported mended'); END;

-- What was put aside until it got worse comes back four weeks after it was put aside.
UPDATE cases SET snoozed_until = (
    SELECT date(coalesce(max(s.at), cases.last_told) / 1000, 'unixepoch', '+28 days')
    FROM steps s WHERE s."case" = cases.n AND s.kind = 'snoozed'
) WHERE state = 'snoozed' AND snoozed_until IS NULL;
CREATE TRIGGER snoozes_end BEFORE UPDATE OF state ON cases WHEN NEW.state = 'snoozed' AND NEW.snoozed_until IS NULL
BEGIN SELECT raise(ABORT, 'a case is put aside until a day'); END;
