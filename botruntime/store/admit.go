// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Admit makes requests durable, in their order and in one commit, and says what became of each. A new ticket waits in
// the outbox of the chat that its category leads to.
func (s *Store) Admit(ctx context.Context, requests []Request) ([]Verdict, error) {
	verdicts := make([]Verdict, len(requests))
	err := s.writer.write(ctx, func(tx *txn) error {
		if len(requests) > 0 {
			if err := sweepNonces(tx, requests[0].ReadAt); err != nil {
				return fmt.Errorf("forget nonces: %w", err)
			}
		}
		for i := range requests {
			verdict, err := s.admit(tx, &requests[i])
			if err != nil {
				return fmt.Errorf("admit a request: %w", err)
			}
			verdicts[i] = verdict
		}
		return nil
	})
	return verdicts, err
}

func (s *Store) admit(tx *txn, r *Request) (Verdict, error) {
	id := toKey(r.ID)
	fresh, err := admitNonce(tx, r, id)
	if err != nil || !fresh {
		return Replayed, err
	}
	known, err := look(tx, id, &r.Ticket)
	switch {
	case err != nil:
		return 0, err
	case known.request != 0:
		return Repeated, s.askAgain(tx, r, known.request, id)
	}
	verdict, row := Repeated, known.ticket
	if row == 0 {
		verdict = Accepted
		if row, _, err = s.addTicket(tx, &r.Ticket, known.name, r.ReadAt); err != nil {
			return 0, err
		}
	}
	_, err = tx.exec(`INSERT INTO requests (id, ticket, key_id, form) VALUES (?, ?, ?, ?)`,
		id, row, r.Signature.KeyID, r.Signature.Form)
	if err == nil && verdict == Repeated {
		err = s.makeDue(tx, row, id)
	}
	return verdict, err
}

// sweepNonces forgets the nonces whose time is over.
func sweepNonces(tx *txn, now time.Time) error {
	_, err := tx.exec(`DELETE FROM nonces WHERE expires_at < ?`, millis(now))
	return err
}

// admitNonce remembers a nonce; fresh is false when another frame brought it before.
func admitNonce(tx *txn, r *Request, id string) (fresh bool, err error) {
	nonce := toKey(r.Nonce)
	added, err := tx.change(`INSERT INTO nonces (nonce, request, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		nonce, id, millis(r.NonceUntil))
	if err != nil || added == 1 {
		return true, err
	}
	var by string
	_, err = tx.get(`SELECT request FROM nonces WHERE nonce = ?`, []any{nonce}, &by)
	return by == id, err
}

// known is what the store has of a request already.
type known struct {
	// request is the ticket that was asked for by the same request, ticket the one of the same feedback; 0 for none.
	request, ticket int64
	// name is the name that the feedback's number makes; empty where it has none, or the name is taken.
	name string
}

func look(tx *txn, id string, t *ticket.Ticket) (k known, err error) {
	if t.FeedbackID > 0 {
		k.name = ticket.ID(t.Source, t.FeedbackID)
	}
	var named int64
	_, err = tx.get(`SELECT coalesce((SELECT ticket FROM requests WHERE id = ?), 0),
		coalesce((SELECT id FROM tickets WHERE feedback_id = ? AND feedback_id > 0), 0),
		coalesce((SELECT id FROM tickets WHERE name = ?), 0)`,
		[]any{id, max(t.FeedbackID, 0), k.name}, &k.request, &k.ticket, &named)
	if named != 0 {
		k.name = ""
	}
	return k, err
}

// askAgain makes the result of a known request due again, by the signature of its repeat.
func (s *Store) askAgain(tx *txn, r *Request, row int64, id string) error {
	if _, err := tx.exec(`UPDATE requests SET key_id = ?, form = ? WHERE ticket = ? AND id = ?`,
		r.Signature.KeyID, r.Signature.Form, row, id); err != nil {
		return err
	}
	return s.makeDue(tx, row, id)
}

// makeDue puts a request's result at the end of the line for the site, if its ticket has come to an end.
func (s *Store) makeDue(tx *txn, row int64, id string) error {
	seq := s.number()
	settled, err := tx.change(`INSERT INTO results (seq, ticket, request)
		SELECT CAST(? AS BIGINT), id, CAST(? AS TEXT) FROM tickets WHERE id = ? AND state <> 'pending'`, seq, id, row)
	if err != nil || settled == 0 {
		return err
	}
	tx.wake.results = true
	tx.afterCommit(func() { s.recent.reset(seq) }) // it has not read this one
	_, err = tx.exec(`UPDATE requests SET again = ? WHERE ticket = ? AND id = ?`, seq, row, id)
	return err
}

// addTicket keeps a new ticket and puts it into the outbox. An empty name has it named by a counter.
func (s *Store) addTicket(tx *txn, t *ticket.Ticket, name string, at time.Time) (row int64, _ string, err error) {
	if name == "" {
		if name, err = freeName(tx, t.Source); err != nil {
			return 0, "", err
		}
	}
	named := *t
	named.ID = name
	place := s.place(named)
	row = s.number()
	received := millis(at)
	if _, err := tx.exec(`INSERT INTO tickets (id, name, source, feedback_id, telegram_id, username, first_name, nickname,
		category, message, attachments, created_at, received_at, active_at, chat_id, thread_id, topic)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		row, name, text(string(t.Source)), max(t.FeedbackID, 0), t.TelegramID, text(t.Username), text(t.FirstName), text(t.Nickname),
		text(t.Category), text(t.Message), t.Attachments, millis(t.CreatedAt), received, received, place.chatID, place.threadID, place.topic); err != nil {
		return 0, "", err
	}
	if err := s.enqueue(tx, &queued{kind: JobPost, ticket: row, place: place}); err != nil {
		return 0, "", err
	}
	tx.afterCommit(func() { s.count(func(c *Counts) { c.Received++; c.Pending++ }) })
	return row, name, nil
}

// freeName is by the counter of a source; names that are taken (by the site's own numbers) are left out.
func freeName(tx *txn, source ticket.Source) (string, error) {
	for {
		number, err := tx.count(counterOf(source))
		if err != nil {
			return "", err
		}
		name := ticket.ID(source, number)
		taken, err := tx.get(`SELECT 1 FROM tickets WHERE name = ?`, []any{name}, new(int))
		if err != nil || !taken {
			return name, err
		}
	}
}

func counterOf(source ticket.Source) string { return "ticket_" + string(source) }

// place is where something goes: a chat, and a topic there by its number or by its key.
type place struct {
	chatID, threadID int64
	topic            string
}

// place says where a ticket is posted.
func (s *Store) place(t ticket.Ticket) (p place) {
	p.chatID, p.threadID = s.opts.Route(t.Category)
	p.chatID = s.EffectiveChat(p.chatID)
	p.topic = s.opts.Topic(t)
	return p
}
