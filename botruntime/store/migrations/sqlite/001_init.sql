-- Times are Unix milliseconds.

CREATE TABLE tickets (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,        -- ticket_site_123
    feedback_id INTEGER UNIQUE,                 -- NULL where the site has no number for it
    data        TEXT    NOT NULL,               -- JSON of ticket.Ticket
    received_at INTEGER NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'posted', 'failed')),
    status      TEXT    NOT NULL DEFAULT 'new',
    chat_id     INTEGER,
    message_id  INTEGER,
    settled_at  INTEGER,
    failure     TEXT    NOT NULL DEFAULT ''
) STRICT;

-- Frames that ask for a ticket. Several may ask for the same one, and each has its own result.
CREATE TABLE requests (
    id     TEXT    PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES tickets (id),
    key_id TEXT    NOT NULL,
    form   INTEGER NOT NULL,
    due    INTEGER                              -- order in which results are due; NULL: none is
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_ticket ON requests (ticket);
CREATE UNIQUE INDEX requests_by_due ON requests (due) WHERE due IS NOT NULL;

CREATE TABLE nonces (
    nonce      TEXT    PRIMARY KEY,
    request    TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_expiry ON nonces (expires_at);

-- What Telegram has not accepted yet.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id    INTEGER NOT NULL,
    priority   INTEGER NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('post', 'message', 'edit')),
    ticket     INTEGER REFERENCES tickets (id),
    message_id INTEGER,
    payload    BLOB,
    claimed    INTEGER NOT NULL DEFAULT 0       -- 1: a call was begun and its end not recorded
) STRICT;
CREATE INDEX outbox_in_order ON outbox (chat_id, priority, seq);
CREATE UNIQUE INDEX outbox_edits ON outbox (chat_id, message_id) WHERE kind = 'edit';

CREATE TABLE updates (
    id      INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE statuses (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket     TEXT    NOT NULL,                -- by name: the post may be older than this store
    status     TEXT    NOT NULL,
    actor_id   INTEGER NOT NULL,
    actor_name TEXT    NOT NULL,
    at         INTEGER NOT NULL
) STRICT;

CREATE TABLE counters (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
