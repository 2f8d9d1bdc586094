-- What version 2 of the protocol needs.

-- Events become frames: each has the id of its frame, and data is JSON of what has no column.
ALTER TABLE events ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN data TEXT NOT NULL DEFAULT '{}';
UPDATE events SET id = lower(hex(randomblob(16)));

-- When a ticket got its status, in microseconds: of two statuses the later one counts, on both sides.
ALTER TABLE tickets ADD COLUMN status_us INTEGER NOT NULL DEFAULT 0;
UPDATE tickets SET status_us = status_at * 1000 WHERE status_at <> 0;

-- Frames of the site's that had their effect; those that ask for a ticket are in requests.
CREATE TABLE received (
    id TEXT    PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX received_by_time ON received (at);
