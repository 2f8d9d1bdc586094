// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Priorities of the outbox: answers to people go before tickets, tickets before edits.
const (
	priorityMessage = iota
	priorityPost
	priorityEdit
)

// Admit makes requests durable, in their order and in one commit, and says what became of each. A new ticket waits in
// the outbox of the staff's chat.
func (s *Store) Admit(ctx context.Context, requests []Request) ([]Verdict, error) {
	verdicts := make([]Verdict, len(requests))
	err := s.writer.write(ctx, func(tx *txn) error {
		for i, r := range requests {
			verdict, err := s.admit(tx, r)
			if err != nil {
				return fmt.Errorf("admit a request: %w", err)
			}
			verdicts[i] = verdict
		}
		return nil
	})
	return verdicts, err
}

func (s *Store) admit(tx *txn, r Request) (Verdict, error) {
	fresh, err := admitNonce(tx, r)
	if err != nil || !fresh {
		return Replayed, err
	}
	if known, err := s.askAgain(tx, r); err != nil || known {
		return Repeated, err
	}
	rowID, known, err := ticketByFeedbackID(tx, r.Ticket.FeedbackID)
	if err != nil {
		return 0, err
	}
	verdict := Repeated
	if !known {
		verdict = Accepted
		if rowID, err = s.addTicket(tx, r.Ticket, r.ReadAt); err != nil {
			return 0, err
		}
	}
	_, err = tx.exec(`INSERT INTO requests (id, ticket, key_id, form) VALUES (?, ?, ?, ?)`,
		r.ID, rowID, r.Signature.KeyID, r.Signature.Form)
	if err == nil && known {
		err = s.makeDueAgain(tx, rowID, r.ID)
	}
	return verdict, err
}

// admitNonce remembers a nonce; fresh is false when another frame brought it before.
func admitNonce(tx *txn, r Request) (fresh bool, err error) {
	now := millis(r.ReadAt)
	if _, err := tx.exec(`DELETE FROM nonces WHERE expires_at < ?`, now); err != nil {
		return false, err
	}
	var by string
	seen, err := tx.get(`SELECT request FROM nonces WHERE nonce = ?`, []any{r.Nonce}, &by)
	if err != nil || seen {
		return by == r.ID, err
	}
	_, err = tx.exec(`INSERT INTO nonces (nonce, request, expires_at) VALUES (?, ?, ?)`, r.Nonce, r.ID, millis(r.NonceUntil))
	return true, err
}

// askAgain makes the result of a known request due again, by the signature of its repeat; known is false where the
// request is new.
func (s *Store) askAgain(tx *txn, r Request) (known bool, err error) {
	var rowID int64
	known, err = tx.get(`UPDATE requests SET key_id = ?, form = ? WHERE id = ? RETURNING ticket`,
		[]any{r.Signature.KeyID, r.Signature.Form, r.ID}, &rowID)
	if err != nil || !known {
		return known, err
	}
	return true, s.makeDueAgain(tx, rowID, r.ID)
}

func ticketByFeedbackID(tx *txn, feedbackID int64) (rowID int64, known bool, err error) {
	if feedbackID <= 0 {
		return 0, false, nil
	}
	known, err = tx.get(`SELECT id FROM tickets WHERE feedback_id = ?`, []any{feedbackID}, &rowID)
	return rowID, known, err
}

// addTicket names a new ticket and puts it into the outbox.
func (s *Store) addTicket(tx *txn, t ticket.Ticket, at time.Time) (rowID int64, err error) {
	name, err := freeName(tx, t)
	if err != nil {
		return 0, err
	}
	data, err := json.Marshal(t)
	if err != nil {
		return 0, fmt.Errorf("encode the ticket: %w", err)
	}
	var feedbackID *int64
	if t.FeedbackID > 0 {
		feedbackID = &t.FeedbackID
	}
	if _, err := tx.get(`INSERT INTO tickets (name, feedback_id, data, received_at) VALUES (?, ?, ?, ?) RETURNING id`,
		[]any{name, feedbackID, string(data), millis(at)}, &rowID); err != nil {
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO outbox (chat_id, priority, kind, ticket) VALUES (?, ?, 'post', ?)`, s.opts.ChatID, priorityPost, rowID)
	tx.afterCommit(func() {
		s.count(func(c *Counts) { c.Received++; c.Pending++ })
		signal(s.outboxReady)
	})
	return rowID, err
}

// freeName is ticket_site_<feedback_id>, or by a counter where the site has no number. A name that is taken (the two
// ways of numbering can meet) leads to the counter's next.
func freeName(tx *txn, t ticket.Ticket) (string, error) {
	number := t.FeedbackID
	for {
		if number <= 0 {
			var err error
			if number, err = tx.next("ticket_" + string(t.Source)); err != nil {
				return "", err
			}
		}
		name := ticket.ID(t.Source, number)
		taken, err := tx.get(`SELECT 1 FROM tickets WHERE name = ?`, []any{name}, new(int))
		if err != nil || !taken {
			return name, err
		}
		number = 0
	}
}

// makeDueAgain puts a request's result in line for the site, if its ticket has come to an end.
func (s *Store) makeDueAgain(tx *txn, rowID int64, requestID string) error {
	settled, err := tx.get(`SELECT 1 FROM tickets WHERE id = ? AND state <> 'pending'`, []any{rowID}, new(int))
	if err != nil || !settled {
		return err
	}
	return s.makeDue(tx, requestID)
}

// makeDue puts a request's result at the end of the line for the site. Numbers of changes that were undone stay unused.
func (s *Store) makeDue(tx *txn, requestID string) error {
	s.lastDue++
	_, err := tx.exec(`UPDATE requests SET due = ? WHERE id = ?`, s.lastDue, requestID)
	tx.afterCommit(func() { signal(s.resultsReady) })
	return err
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
