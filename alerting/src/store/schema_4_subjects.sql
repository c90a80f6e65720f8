-- All alerts of one subject are asked for by whoever looks at it.
CREATE INDEX alerts_by_subject ON alerts (subject);
