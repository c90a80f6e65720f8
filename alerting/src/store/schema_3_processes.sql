-- Several processes may share the partitions: which one has what was read of each in its state on disk.
CREATE TABLE holder (
    topic     TEXT NOT NULL,
    partition INTEGER NOT NULL,
    process   INTEGER NOT NULL CHECK (process >= 0),
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;
