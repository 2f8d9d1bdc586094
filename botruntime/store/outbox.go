// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Advance records how the claimed job of a chat ended (done may be nil) and, if claim, claims the next one, in one
// commit. A nil Job means that nothing waits there.
func (s *Store) Advance(ctx context.Context, chatID int64, done *Outcome, claim bool) (*Job, error) {
	var job *Job
	err := s.writer.write(ctx, func(tx *txn) (err error) {
		job = nil
		if done != nil {
			if err := s.settle(tx, *done); err != nil {
				return fmt.Errorf("record how a job ended: %w", err)
			}
		}
		if !claim {
			return nil
		}
		if job, err = claimNext(tx, chatID); err != nil {
			return fmt.Errorf("claim the next job: %w", err)
		}
		return nil
	})
	return job, err
}

func (s *Store) settle(tx *txn, o Outcome) error {
	if o.Kind == Released {
		_, err := tx.exec(`UPDATE outbox SET claimed = 0 WHERE seq = ?`, o.Seq)
		return err
	}
	var rowID *int64
	var chatID int64
	// An edit that was replaced while it was being sent is gone, and its replacement stays.
	found, err := tx.get(`DELETE FROM outbox WHERE seq = ? RETURNING ticket, chat_id`, []any{o.Seq}, &rowID, &chatID)
	if err != nil || !found || rowID == nil {
		return err
	}
	return s.settleTicket(tx, *rowID, chatID, o)
}

// settleTicket ends a ticket's wait and makes the results due that were asked for.
func (s *Store) settleTicket(tx *txn, rowID, chatID int64, o Outcome) error {
	state := "posted"
	if o.Kind == Refused {
		state = "failed"
	}
	if _, err := tx.exec(`UPDATE tickets SET state = ?, chat_id = ?, message_id = ?, settled_at = ?, failure = ? WHERE id = ?`,
		state, chatID, o.MessageID, millis(o.At), o.Failure, rowID); err != nil {
		return err
	}
	// The counters first: who sees a result must not see counters from before it.
	tx.afterCommit(func() {
		s.count(func(c *Counts) {
			c.Pending--
			if o.Kind == Refused {
				c.Failed++
				return
			}
			c.Posted++
			c.LastPosted = fromMillis(millis(o.At))
		})
	})
	requests, err := tx.list(`SELECT id FROM requests WHERE ticket = ? ORDER BY id`, rowID)
	if err != nil {
		return err
	}
	for _, id := range requests {
		if err := s.makeDue(tx, id); err != nil {
			return err
		}
	}
	return nil
}

func claimNext(tx *txn, chatID int64) (*Job, error) {
	var (
		job       Job
		name      *string
		data      []byte
		messageID *int64
	)
	found, err := tx.get(`
		SELECT o.seq, o.chat_id, o.kind, o.message_id, o.payload, o.claimed, t.name, t.data
		FROM outbox o LEFT JOIN tickets t ON t.id = o.ticket
		WHERE o.chat_id = ? ORDER BY o.priority, o.seq LIMIT 1`,
		[]any{chatID}, &job.Seq, &job.ChatID, &job.Kind, &messageID, &job.Payload, &job.MaybeSent, &name, &data)
	if err != nil || !found {
		return nil, err
	}
	if messageID != nil {
		job.MessageID = *messageID
	}
	if name != nil {
		if job.Ticket, err = decodeTicket(*name, data); err != nil {
			return nil, err
		}
	}
	_, err = tx.exec(`UPDATE outbox SET claimed = 1 WHERE seq = ?`, job.Seq)
	return &job, err
}

// WaitingChats returns the chats that jobs wait for.
func (s *Store) WaitingChats(ctx context.Context) ([]int64, error) {
	chats, err := list[int64](ctx, s.reads, `SELECT DISTINCT chat_id FROM outbox`)
	if err != nil {
		return nil, fmt.Errorf("list the chats that jobs wait for: %w", err)
	}
	return chats, nil
}

// Ticket returns a ticket by its name, or ErrNotFound.
func (s *Store) Ticket(ctx context.Context, name string) (ticket.Ticket, error) {
	data, err := list[[]byte](ctx, s.reads, `SELECT data FROM tickets WHERE name = ?`, name)
	if err != nil {
		return ticket.Ticket{}, fmt.Errorf("read a ticket: %w", err)
	}
	if len(data) == 0 {
		return ticket.Ticket{}, ErrNotFound
	}
	return decodeTicket(name, data[0])
}

func decodeTicket(name string, data []byte) (ticket.Ticket, error) {
	t := ticket.Ticket{ID: name}
	if err := json.Unmarshal(data, &t); err != nil {
		return ticket.Ticket{}, fmt.Errorf("decode ticket %s: %w", name, err)
	}
	return t, nil
}
