-- What a bot of the first schema left behind. Times are those of the tests' epoch, 1795348800000.
INSERT INTO tickets (id, name, feedback_id, data, received_at, state, status, chat_id, message_id, settled_at, failure) VALUES
    (1, 'ticket_site_1', 1, '{"source":"site","feedback_id":1,"telegram_id":999,"telegram_username":"user","telegram_first_name":"Имя","nickname":"PlayerNick","category":"bug","message":"Текст \"quoted\" \n line","created_at":"2025-10-17T12:00:00.123Z"}', 1795348800000, 'posted', 'closed', -1001, 71, 1795348801000, ''),
    (2, 'ticket_site_2', 2, '{"source":"site","feedback_id":2,"category":"wish","message":"refused"}', 1795348800000, 'failed', 'new', -1001, 0, 1795348802000, 'message is too long'),
    (3, 'ticket_site_3', NULL, '{"source":"site","category":"bug","message":"has no number"}', 1795348800000, 'pending', 'new', NULL, NULL, NULL, ''),
    (4, 'ticket_site_5', 4, '{"source":"site","feedback_id":4,"category":"bug","message":"waits"}', 1795348800000, 'pending', 'new', NULL, NULL, NULL, '');
INSERT INTO requests (id, ticket, key_id, form, due) VALUES
    ('a', 1, 'key', 1, 5), ('b', 2, 'key', 1, 6), ('c', 3, 'key', 1, NULL), ('d', 4, 'key', 1, NULL);
INSERT INTO nonces (nonce, request, expires_at) VALUES ('nonce-d', 'd', 1795348890000);
INSERT INTO outbox (seq, chat_id, priority, kind, ticket, message_id, payload, claimed) VALUES
    (3, -1001, 1, 'post', 3, NULL, NULL, 1), (4, -1001, 1, 'post', 4, NULL, NULL, 0),
    (5, -1001, 0, 'message', NULL, NULL, X'7B7D', 0), (6, -1001, 2, 'edit', NULL, 71, X'65646974', 0);
INSERT INTO updates (id, payload) VALUES (12, X'7B7D');
INSERT INTO statuses (ticket, status, actor_id, actor_name, at) VALUES
    ('ticket_site_1', 'read', 9, '@first', 1795350600000), ('ticket_site_1', 'closed', 10, '@second', 1795352400000);
INSERT INTO counters (name, value) VALUES ('ticket_site', 3), ('last_update', 12), ('last_update_at', 1795348800000);
