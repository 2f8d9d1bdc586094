// SPDX-License-Identifier: Apache-2.0

package store

import "strings"

// topicOfTicket begins the key of a ticket's own topic.
const topicOfTicket = "ticket:"

// migrateChat has everything that waits for a group go to the supergroup that it became. Messages are numbered anew there:
// what refers to one of the group's is not carried along, and links stay under the group's id, by which Telegram goes on
// to speak of its messages.
func (s *Store) migrateChat(tx *txn, from, to int64) error {
	if from == to || to == 0 {
		return nil
	}
	s.memory.ahead.forget(from)
	s.memory.ahead.forget(to)
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM outbox WHERE chat_id = ? AND kind IN ('edit', 'topic')`, []any{from}},
		{`UPDATE tickets SET chat_id = ? WHERE state = 'pending' AND id IN
			(SELECT ticket FROM outbox WHERE chat_id = ? AND kind = 'post')`, []any{to, from}},
		{`UPDATE outbox SET chat_id = ?, reply_to = 0 WHERE chat_id = ?`, []any{to, from}},
		{`DELETE FROM topics WHERE chat_id = ?`, []any{from}},
		{`UPDATE chats SET new_id = ? WHERE new_id = ?`, []any{to, from}},
		{`DELETE FROM chats WHERE id = ?`, []any{to}},
		{`INSERT INTO chats (id, new_id) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET new_id = excluded.new_id`, []any{from, to}},
	} {
		if _, err := tx.exec(q.query, q.args...); err != nil {
			return err
		}
	}
	tx.afterCommit(func() { s.movedChat(from, to) })
	tx.wake.outbox = true
	return nil
}

// thread is the number of a place's topic; 0 as long as it was not made.
func thread(tx *txn, p place) (threadID int64, err error) {
	_, err = tx.get(`SELECT thread_id FROM topics WHERE chat_id = ? AND key = ?`, []any{p.chatID, p.topic}, &threadID)
	return threadID, err
}

// sharedTopics counts the topics of a place's chat, but for those of single tickets; it is 0 where the place's is one of them.
func sharedTopics(tx *txn, p place) (n int, err error) {
	if strings.HasPrefix(p.topic, topicOfTicket) {
		return 0, nil
	}
	_, err = tx.get(`SELECT count(*) FROM topics WHERE chat_id = ? AND key NOT LIKE '`+topicOfTicket+`%'`, []any{p.chatID}, &n)
	return n, err
}

// setThread records the topic that was made for a place.
func setThread(tx *txn, p place, threadID int64) error {
	_, err := tx.exec(`INSERT INTO topics (chat_id, key, thread_id) VALUES (?, ?, ?)
		ON CONFLICT (chat_id, key) DO UPDATE SET thread_id = excluded.thread_id`, p.chatID, p.topic, threadID)
	return err
}
