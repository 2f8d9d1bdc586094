-- What jobs of the kind file upload, by the jobs' numbers: apart, for it is large, and only who sends it reads it.
CREATE TABLE files (
    seq     INTEGER PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_files ON outbox (seq) WHERE kind = 'file';
