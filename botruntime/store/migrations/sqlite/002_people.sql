-- People, links, topics, events for the site; tickets in columns. Times are Unix milliseconds, 0 for none. Numbers (id,
-- seq) are given by the store, from one sequence. The tables that most writes touch have few indexes, and keys that grow at
-- one end: every page that a commit changes is written to the disk. They have no checks for lists of words either, each of
-- which SQLite writes into a table of its own, at every change.

CREATE INDEX outbox_by_ticket ON outbox (ticket); -- these two for the copying alone
CREATE INDEX statuses_by_ticket ON statuses (ticket);
CREATE TABLE new_tickets (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,        -- ticket_site_123
    source      TEXT    NOT NULL,
    feedback_id INTEGER NOT NULL,               -- 0 where the site has no number for it
    telegram_id INTEGER NOT NULL,               -- of its author; 0 where it is not known
    username    TEXT    NOT NULL,
    first_name  TEXT    NOT NULL,
    nickname    TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    attachments INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,               -- -62135596800000 (the year 1) where it is not known
    received_at INTEGER NOT NULL,
    active_at   INTEGER NOT NULL,               -- when something last happened to it
    state       TEXT    NOT NULL DEFAULT 'pending', -- pending, posted, failed
    status      TEXT    NOT NULL DEFAULT 'new',
    status_by   TEXT    NOT NULL DEFAULT '',
    status_at   INTEGER NOT NULL DEFAULT 0,
    chat_id     INTEGER NOT NULL,               -- where it is posted, or will be
    thread_id   INTEGER NOT NULL DEFAULT 0,
    topic       TEXT    NOT NULL DEFAULT '',    -- key of its topic
    message_id  INTEGER NOT NULL DEFAULT 0,     -- 0 while it is not posted
    settled_at  INTEGER NOT NULL DEFAULT 0,
    failure     TEXT    NOT NULL DEFAULT ''
) STRICT;
INSERT INTO new_tickets (id, name, source, feedback_id, telegram_id, username, first_name, nickname, category, message,
    created_at, received_at, active_at, state, status, status_by, status_at, chat_id, message_id, settled_at, failure)
SELECT t.id, t.name, coalesce(t.data ->> 'source', 'site'), coalesce(t.feedback_id, 0),
    coalesce(t.data ->> 'telegram_id', 0), coalesce(t.data ->> 'telegram_username', ''),
    coalesce(t.data ->> 'telegram_first_name', ''), coalesce(t.data ->> 'nickname', ''),
    coalesce(t.data ->> 'category', ''), coalesce(t.data ->> 'message', ''),
    coalesce(CAST(round((julianday(t.data ->> 'created_at') - 2440587.5) * 86400000) AS INTEGER), -62135596800000),
    t.received_at, max(t.received_at, coalesce(t.settled_at, 0), coalesce(s.at, 0)), t.state, t.status,
    coalesce(s.actor_name, ''), coalesce(s.at, 0),
    coalesce(t.chat_id, (SELECT chat_id FROM outbox WHERE ticket = t.id AND kind = 'post'), 0),
    coalesce(t.message_id, 0), coalesce(t.settled_at, 0), t.failure
FROM tickets t LEFT JOIN statuses s ON s.seq = (SELECT max(seq) FROM statuses WHERE ticket = t.name);
CREATE TABLE new_requests (
    ticket INTEGER NOT NULL,
    id     TEXT    NOT NULL UNIQUE,
    key_id TEXT    NOT NULL,
    form   INTEGER NOT NULL,
    again  INTEGER NOT NULL DEFAULT 0,          -- results of it before this number do not count: it was asked again
    PRIMARY KEY (ticket, id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_requests (ticket, id, key_id, form) SELECT ticket, id, key_id, form FROM requests;
-- Results that the site has not confirmed.
CREATE TABLE results (
    seq     INTEGER PRIMARY KEY,
    ticket  INTEGER NOT NULL,
    request TEXT    NOT NULL
) STRICT;
INSERT INTO results (seq, ticket, request) SELECT due, ticket, id FROM requests WHERE due IS NOT NULL;
DROP TABLE requests;
DROP TABLE tickets;
ALTER TABLE new_tickets RENAME TO tickets;
ALTER TABLE new_requests RENAME TO requests;
CREATE UNIQUE INDEX tickets_by_feedback ON tickets (feedback_id) WHERE feedback_id > 0;
CREATE INDEX tickets_by_author ON tickets (telegram_id) WHERE telegram_id <> 0;
CREATE INDEX tickets_by_message ON tickets (chat_id, message_id) WHERE message_id <> 0;
CREATE INDEX tickets_failed ON tickets (id) WHERE state = 'failed';

CREATE TABLE new_outbox (
    chat_id         INTEGER NOT NULL,            -- 0: that of the post of the ticket, which has to come first
    priority        INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    kind            TEXT    NOT NULL,           -- post, message, copy, edit, topic
    ticket          INTEGER NOT NULL DEFAULT 0,  -- what a post or a topic is of
    name            TEXT    NOT NULL DEFAULT '', -- the ticket that a message belongs to: it may be older than this store
    thread_id       INTEGER NOT NULL DEFAULT 0,
    topic           TEXT    NOT NULL DEFAULT '',
    message_id      INTEGER NOT NULL DEFAULT 0,  -- of an edit
    payload         BLOB,
    from_chat_id    INTEGER NOT NULL DEFAULT 0,
    from_message_id INTEGER NOT NULL DEFAULT 0,
    reply_to        INTEGER NOT NULL DEFAULT 0,
    if_refused      BLOB,                        -- JSON of the messages that follow from a refusal
    claimed         INTEGER NOT NULL DEFAULT 0,  -- 1: a call was begun and its end not recorded
    PRIMARY KEY (chat_id, priority, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO new_outbox (chat_id, priority, seq, kind, ticket, message_id, payload, claimed)
SELECT chat_id, priority, seq, kind, coalesce(ticket, 0), coalesce(message_id, 0), payload, claimed FROM outbox;
DROP TABLE outbox;
ALTER TABLE new_outbox RENAME TO outbox;
-- What was not sent yet has no number there: its edits are told apart by the message that it comes from.
CREATE UNIQUE INDEX outbox_edits ON outbox (chat_id, message_id, from_chat_id, from_message_id) WHERE kind = 'edit';
CREATE INDEX outbox_topics ON outbox (ticket) WHERE kind = 'topic';

CREATE TABLE new_statuses (
    seq        INTEGER PRIMARY KEY,
    ticket     TEXT    NOT NULL,                -- by name: the post may be older than this store
    status     TEXT    NOT NULL,
    actor_id   INTEGER NOT NULL,
    actor_name TEXT    NOT NULL,
    at         INTEGER NOT NULL
) STRICT;
INSERT INTO new_statuses (seq, ticket, status, actor_id, actor_name, at)
SELECT seq, ticket, status, actor_id, actor_name, at FROM statuses;
DROP TABLE statuses;
ALTER TABLE new_statuses RENAME TO statuses;
CREATE INDEX statuses_by_ticket ON statuses (ticket);

CREATE TABLE links (
    chat_id         INTEGER NOT NULL,
    message_id      INTEGER NOT NULL,
    ticket          TEXT    NOT NULL,           -- by name
    peer_chat_id    INTEGER NOT NULL DEFAULT 0,
    peer_message_id INTEGER NOT NULL DEFAULT 0,
    words           INTEGER NOT NULL DEFAULT 0, -- a sum of what the message says
    at              INTEGER NOT NULL,
    PRIMARY KEY (chat_id, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_ticket ON links (ticket);

CREATE TABLE persons (
    id        INTEGER PRIMARY KEY,              -- Telegram's
    language  TEXT    NOT NULL,
    dialog    BLOB,
    banned_at INTEGER NOT NULL,
    banned_by TEXT    NOT NULL,
    told_at   INTEGER NOT NULL,
    blocked   INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL
) STRICT;

-- Uses that sliding limits count.
CREATE TABLE uses (
    kind   TEXT    NOT NULL,
    person INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    until  INTEGER NOT NULL,                    -- when it leaves its window
    PRIMARY KEY (kind, person, at, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE topics (
    chat_id   INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    thread_id INTEGER NOT NULL,
    PRIMARY KEY (chat_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX topics_by_thread ON topics (chat_id, thread_id);

-- Groups that became supergroups.
CREATE TABLE chats (
    id     INTEGER PRIMARY KEY,
    new_id INTEGER NOT NULL
) STRICT;

-- What the site may want to know.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    kind        TEXT    NOT NULL,
    ticket      TEXT    NOT NULL,
    feedback_id INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT;
