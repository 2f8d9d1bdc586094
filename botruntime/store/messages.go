// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"errors"
	"fmt"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// Send puts a message into the outbox: Tx says more.
func (u *unit) Send(m Outgoing) error { return u.store.send(u.tx, &m) }

// send puts a message into the outbox. One that belongs to a ticket goes to the ticket's topic, where there is one.
func (s *Store) send(tx *txn, m *Outgoing) error {
	q := queued{kind: JobMessage, name: text(m.Ticket), place: place{chatID: s.EffectiveChat(m.ChatID), threadID: m.ThreadID},
		payload: m.Payload, fromChatID: m.FromChatID, fromMessageID: m.FromMessageID, replyTo: m.ReplyTo}
	if m.Copy {
		q.kind = JobCopy
	}
	if q.chatID != m.ChatID { // in another chat the number is another message's
		q.replyTo = 0
	}
	if err := s.under(tx, &q); err != nil {
		return fmt.Errorf("find where a message goes: %w", err)
	}
	// What people add has no precedence over tickets: there is no end to it. The staff's answers, out of private chats too, have.
	if m.ChatID == 0 || m.FromChatID > 0 && s.serves(q.chatID) {
		q.rank = priorityPost
	}
	if len(m.IfRefused) > 0 {
		var err error
		if q.ifRefused, err = json.Marshal(m.IfRefused); err != nil {
			return fmt.Errorf("encode what follows from a refusal: %w", err)
		}
	}
	if err := s.enqueue(tx, &q); err != nil {
		return fmt.Errorf("put a message into the outbox: %w", err)
	}
	return nil
}

// under leads a message of a ticket's: to the ticket's topic in the ticket's chat, and without a chat of its own to
// behind the ticket's post, or to chat 0 as long as there is none. Where the post's chat is none of the staff's any more, the
// ticket's chat is the one that it would be posted to now.
func (s *Store) under(tx *txn, q *queued) error {
	if q.name == "" || q.threadID != 0 {
		return nil
	}
	if q.chatID < 0 && q.fromChatID > 0 && !s.serves(q.chatID) { // what a person wrote, and the staff is gone from there
		q.chatID, q.replyTo = 0, 0
	}
	t, err := ticketNamed(tx, q.name)
	switch {
	case isNotFound(err) && q.chatID != 0: // older than this store
		return nil
	case err != nil:
		return err
	}
	post, replyTo := place{t.ChatID, t.ThreadID, t.topic}, t.MessageID
	switch now := s.EffectiveChat(t.ChatID); { // in another chat neither its message nor its topic is
	case !s.serves(now):
		post, replyTo = s.place(t.Ticket), 0
	case now != t.ChatID:
		post, replyTo = place{chatID: now, topic: t.topic}, 0
	}
	switch {
	case q.chatID == 0 && t.State != StatePosted:
		s.memory.held = true
		tx.afterCommit(func() { s.memory.held = true }) // an older change of the same commit may have found that nothing is held
	case q.chatID == 0:
		q.place = post
		if q.replyTo == 0 {
			q.replyTo = replyTo
		}
	case q.chatID == post.chatID && (q.fromChatID != 0 || q.replyTo == 0): // an answer of the bot's stays where the question was
		q.threadID, q.topic = post.threadID, post.topic
	}
	return nil
}

// releaseHeld has the messages follow that waited for a ticket's post.
func (s *Store) releaseHeld(tx *txn, post *queued, messageID int64) error {
	if !s.memory.held {
		return nil
	}
	if _, err := tx.exec(`UPDATE outbox SET chat_id = ?, thread_id = ?, topic = ?, reply_to = CASE reply_to WHEN 0 THEN ? ELSE reply_to END
		WHERE chat_id = 0 AND name = (SELECT name FROM tickets WHERE id = ?)`,
		post.chatID, post.threadID, post.topic, messageID, post.ticket); err != nil {
		return err
	}
	s.memory.ahead.forget(post.chatID)
	tx.wake.outbox = true
	more, err := tx.get(`SELECT 1 FROM outbox WHERE chat_id = 0 LIMIT 1`, nil, new(int))
	if err == nil && !more {
		tx.afterCommit(func() { s.memory.held = false })
	}
	return err
}

// Edit puts an edit into the outbox: Tx says more.
func (u *unit) Edit(e Edit) error {
	// A new row rather than a changed one: whoever sends the old one must not end the new one.
	u.store.memory.ahead.forget(e.ChatID)
	q := queued{kind: JobEdit, place: place{chatID: e.ChatID}, messageID: e.MessageID, payload: e.Payload}
	if e.MessageID == 0 {
		q.fromChatID, q.fromMessageID = e.FromChatID, e.FromMessageID
	}
	if _, err := u.tx.exec(`DELETE FROM outbox WHERE kind = 'edit' AND chat_id = ? AND message_id = ? AND from_chat_id = ? AND from_message_id = ?`,
		e.ChatID, e.MessageID, q.fromChatID, q.fromMessageID); err != nil {
		return fmt.Errorf("replace an edit: %w", err)
	}
	if err := u.store.enqueue(u.tx, &q); err != nil {
		return fmt.Errorf("put an edit into the outbox: %w", err)
	}
	return nil
}

// aimEdit names the message that an edit is of which came before that was sent: messages go first, so it was by now, unless Telegram
// refused it.
func aimEdit(tx *txn, a *aheadJob) (sent bool, err error) {
	q := &a.queued
	sent, err = tx.get(`SELECT peer_message_id FROM links WHERE chat_id = ? AND message_id = ? AND peer_chat_id = ? AND peer_message_id <> 0`,
		[]any{q.fromChatID, q.fromMessageID, q.chatID}, &a.job.MessageID)
	if err == nil && !sent {
		_, err = tx.exec(endJob, q.chatID, q.priority(), q.seq)
	}
	return sent, err
}

// MessageTicket returns the link of a message: Tx says more.
func (u *unit) MessageTicket(chatID, messageID int64) (Link, error) {
	l := Link{ChatID: chatID, MessageID: messageID}
	var at int64
	found, err := u.tx.get(`SELECT ticket, peer_chat_id, peer_message_id, words, at FROM links WHERE chat_id = ? AND message_id = ?`,
		[]any{chatID, messageID}, &l.Ticket, &l.PeerChatID, &l.PeerMessageID, &l.Words, &at)
	if err == nil && !found { // the post itself
		found, err = u.tx.get(`SELECT name, settled_at FROM tickets WHERE chat_id = ? AND message_id = ? AND message_id <> 0`,
			[]any{chatID, messageID}, &l.Ticket, &at)
	}
	if err == nil && !found {
		err = ErrNotFound
	}
	l.At = fromMillis(at)
	return l, err
}

// LinkMessage links a message to its ticket: Tx says more.
func (u *unit) LinkMessage(l Link) error {
	l.Ticket = text(l.Ticket)
	if err := link(u.tx, &l); err != nil {
		return fmt.Errorf("link a message to its ticket: %w", err)
	}
	return nil
}

// link records that a message belongs to a ticket, which is not idle then.
func link(tx *txn, l *Link) error {
	at := millis(l.At)
	if _, err := tx.exec(`INSERT INTO links (chat_id, message_id, ticket, peer_chat_id, peer_message_id, words, at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (chat_id, message_id) DO UPDATE SET ticket = excluded.ticket, peer_chat_id = excluded.peer_chat_id,
		peer_message_id = excluded.peer_message_id, words = excluded.words, at = excluded.at`,
		l.ChatID, l.MessageID, l.Ticket, l.PeerChatID, l.PeerMessageID, l.Words, at); err != nil {
		return err
	}
	_, err := tx.exec(`UPDATE tickets SET active_at = ? WHERE name = ? AND active_at < ?`, at, l.Ticket, at)
	return err
}

// linkSent links a message of a ticket's that Telegram took, and tells the message on the other side of it.
func linkSent(tx *txn, q *queued, o *Outcome) error {
	if q.name == "" || o.MessageID == 0 {
		return nil
	}
	for _, id := range append([]int64{o.MessageID}, o.MoreMessages...) {
		if err := link(tx, &Link{ChatID: q.chatID, MessageID: id, Ticket: q.name, PeerChatID: q.fromChatID, PeerMessageID: q.fromMessageID, At: o.At}); err != nil {
			return err
		}
	}
	if q.fromMessageID == 0 {
		return nil
	}
	_, err := tx.exec(`UPDATE links SET peer_chat_id = ?, peer_message_id = ? WHERE chat_id = ? AND message_id = ? AND ticket = ?`,
		q.chatID, o.MessageID, q.fromChatID, q.fromMessageID, q.name)
	return err
}

// TopicTicket returns the ticket whose own topic a thread is: Tx says more.
func (u *unit) TopicTicket(chatID, threadID int64) (name string, err error) {
	found, err := u.tx.get(`SELECT t.name FROM topics p JOIN tickets t ON p.key = 'ticket:' || t.name
		WHERE p.chat_id = ? AND p.thread_id = ? AND p.thread_id <> 0 LIMIT 1`, []any{chatID, threadID}, &name)
	if err == nil && !found {
		err = ErrNotFound
	}
	return name, err
}

// Emit records an event for the site: Tx says more.
func (u *unit) Emit(e Event) error {
	if _, err := u.tx.exec(`INSERT INTO events (seq, kind, ticket, feedback_id, actor, status, text, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		u.store.number(), string(e.Kind), text(e.Ticket), e.FeedbackID, text(e.Actor), string(e.Status), text(e.Text), millis(e.At)); err != nil {
		return fmt.Errorf("record an event: %w", err)
	}
	return nil
}
