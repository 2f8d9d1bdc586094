-- The whole schema, as of SQLite's 002. Times are Unix milliseconds, 0 for none. Numbers (id, seq) are given by the store,
-- from one sequence.

CREATE TABLE tickets (
    id          BIGINT  PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,        -- ticket_site_123
    source      TEXT    NOT NULL,
    feedback_id BIGINT  NOT NULL,               -- 0 where the site has no number for it
    telegram_id BIGINT  NOT NULL,               -- of its author; 0 where it is not known
    username    TEXT    NOT NULL,
    first_name  TEXT    NOT NULL,
    nickname    TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    attachments BIGINT  NOT NULL DEFAULT 0,
    created_at  BIGINT  NOT NULL,               -- -62135596800000 (the year 1) where it is not known
    received_at BIGINT  NOT NULL,
    active_at   BIGINT  NOT NULL,               -- when something last happened to it
    state       TEXT    NOT NULL DEFAULT 'pending', -- pending, posted, failed
    status      TEXT    NOT NULL DEFAULT 'new',
    status_by   TEXT    NOT NULL DEFAULT '',
    status_at   BIGINT  NOT NULL DEFAULT 0,
    chat_id     BIGINT  NOT NULL,               -- where it is posted, or will be
    thread_id   BIGINT  NOT NULL DEFAULT 0,
    topic       TEXT    NOT NULL DEFAULT '',    -- key of its topic
    message_id  BIGINT  NOT NULL DEFAULT 0,     -- 0 while it is not posted
    settled_at  BIGINT  NOT NULL DEFAULT 0,
    failure     TEXT    NOT NULL DEFAULT ''
);

CREATE TABLE requests (
    ticket BIGINT  NOT NULL,
    id     TEXT    NOT NULL UNIQUE,
    key_id TEXT    NOT NULL,
    form   BIGINT  NOT NULL,
    again  BIGINT  NOT NULL DEFAULT 0,          -- results of it before this number do not count: it was asked again
    PRIMARY KEY (ticket, id)
);

-- Results that the site has not confirmed.
CREATE TABLE results (
    seq     BIGINT  PRIMARY KEY,
    ticket  BIGINT  NOT NULL,
    request TEXT    NOT NULL
);
CREATE UNIQUE INDEX tickets_by_feedback ON tickets (feedback_id) WHERE feedback_id > 0;
CREATE INDEX tickets_by_author ON tickets (telegram_id) WHERE telegram_id <> 0;
CREATE INDEX tickets_by_message ON tickets (chat_id, message_id) WHERE message_id <> 0;
CREATE INDEX tickets_failed ON tickets (id) WHERE state = 'failed';

CREATE TABLE outbox (
    chat_id         BIGINT  NOT NULL,            -- 0: that of the post of the ticket, which has to come first
    priority        BIGINT  NOT NULL,
    seq             BIGINT  NOT NULL,
    kind            TEXT    NOT NULL,           -- post, message, copy, edit, topic
    ticket          BIGINT  NOT NULL DEFAULT 0,  -- what a post or a topic is of
    name            TEXT    NOT NULL DEFAULT '', -- the ticket that a message belongs to: it may be older than this store
    thread_id       BIGINT  NOT NULL DEFAULT 0,
    topic           TEXT    NOT NULL DEFAULT '',
    message_id      BIGINT  NOT NULL DEFAULT 0,  -- of an edit
    payload         BYTEA,
    from_chat_id    BIGINT  NOT NULL DEFAULT 0,
    from_message_id BIGINT  NOT NULL DEFAULT 0,
    reply_to        BIGINT  NOT NULL DEFAULT 0,
    if_refused      BYTEA,                        -- JSON of the messages that follow from a refusal
    claimed         BIGINT  NOT NULL DEFAULT 0,  -- 1: a call was begun and its end not recorded
    PRIMARY KEY (chat_id, priority, seq)
);
-- What was not sent yet has no number there: its edits are told apart by the message that it comes from.
CREATE UNIQUE INDEX outbox_edits ON outbox (chat_id, message_id, from_chat_id, from_message_id) WHERE kind = 'edit';
CREATE INDEX outbox_topics ON outbox (ticket) WHERE kind = 'topic';

CREATE TABLE statuses (
    seq        BIGINT  PRIMARY KEY,
    ticket     TEXT    NOT NULL,                -- by name: the post may be older than this store
    status     TEXT    NOT NULL,
    actor_id   BIGINT  NOT NULL,
    actor_name TEXT    NOT NULL,
    at         BIGINT  NOT NULL
);
CREATE INDEX statuses_by_ticket ON statuses (ticket);

CREATE TABLE links (
    chat_id         BIGINT  NOT NULL,
    message_id      BIGINT  NOT NULL,
    ticket          TEXT    NOT NULL,           -- by name
    peer_chat_id    BIGINT  NOT NULL DEFAULT 0,
    peer_message_id BIGINT  NOT NULL DEFAULT 0,
    words           BIGINT  NOT NULL DEFAULT 0, -- a sum of what the message says
    at              BIGINT  NOT NULL,
    PRIMARY KEY (chat_id, message_id)
);
CREATE INDEX links_by_ticket ON links (ticket);

CREATE TABLE persons (
    id        BIGINT  PRIMARY KEY,              -- Telegram's
    language  TEXT    NOT NULL,
    dialog    BYTEA,
    banned_at BIGINT  NOT NULL,
    banned_by TEXT    NOT NULL,
    told_at   BIGINT  NOT NULL,
    blocked   BIGINT  NOT NULL,
    seen_at   BIGINT  NOT NULL
);

-- Uses that sliding limits count.
CREATE TABLE uses (
    kind   TEXT    NOT NULL,
    person BIGINT  NOT NULL,
    at     BIGINT  NOT NULL,
    seq    BIGINT  NOT NULL,
    until  BIGINT  NOT NULL,                    -- when it leaves its window
    PRIMARY KEY (kind, person, at, seq)
);

CREATE TABLE topics (
    chat_id   BIGINT  NOT NULL,
    key       TEXT    NOT NULL,
    thread_id BIGINT  NOT NULL,
    PRIMARY KEY (chat_id, key)
);
CREATE INDEX topics_by_thread ON topics (chat_id, thread_id);

-- Groups that became supergroups.
CREATE TABLE chats (
    id     BIGINT  PRIMARY KEY,
    new_id BIGINT  NOT NULL
);

-- What the site may want to know.
CREATE TABLE events (
    seq         BIGINT  PRIMARY KEY,
    kind        TEXT    NOT NULL,
    ticket      TEXT    NOT NULL,
    feedback_id BIGINT  NOT NULL,
    actor       TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    at          BIGINT  NOT NULL
);

CREATE TABLE nonces (
    nonce      TEXT    PRIMARY KEY,
    request    TEXT    NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX nonces_by_expiry ON nonces (expires_at);

CREATE TABLE updates (
    id      BIGINT  PRIMARY KEY,
    payload BYTEA NOT NULL
);

CREATE TABLE counters (
    name  TEXT    PRIMARY KEY,
    value BIGINT  NOT NULL
);

-- A row while a bot works, or was killed. PostgreSQL empties the table when it has to recover, and may have lost commits.
CREATE UNLOGGED TABLE running (
    bot BIGINT NOT NULL
);
