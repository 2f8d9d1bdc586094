// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
)

const selectDueResults = `
	SELECT r.seq, q.id, q.key_id, q.form, t.name, t.message_id, t.settled_at, t.state, t.failure
	FROM results r JOIN requests q ON q.ticket = r.ticket AND q.id = r.request JOIN tickets t ON t.id = r.ticket
	WHERE r.seq > ? AND r.seq <= ? AND r.seq >= q.again AND t.state <> 'pending' ORDER BY r.seq LIMIT ?`

// DueResults returns results that are due at the site, in the order of their Seq, from behind after. It waits until nothing
// can undo them any more.
func (s *Store) DueResults(ctx context.Context, after int64, limit int) ([]Result, error) {
	if err := s.writer.syncer.settled(ctx); err != nil {
		return nil, fmt.Errorf("wait for the results that are due: %w", err)
	}
	durable := s.writer.syncer.durable()
	if results, ok := s.recent.between(after, durable, limit); ok {
		return results, nil
	}
	results, err := read(ctx, s, scanResult, selectDueResults, after, durable, limit)
	if err != nil {
		return nil, fmt.Errorf("read the results that are due: %w", err)
	}
	return results, nil
}

func scanResult(row scanner) (r Result, err error) {
	var (
		settledAt int64
		state     State
	)
	if err := row.Scan(&r.Seq, &r.RequestID, &r.Signature.KeyID, &r.Signature.Form, &r.TicketID, &r.MessageID,
		&settledAt, &state, &r.Failure); err != nil {
		return r, err
	}
	r.RequestID, r.SentAt = fromKey(r.RequestID), fromMillis(settledAt)
	r.Failure = whyFailed(state, r.Failure)
	return r, nil
}

// whyFailed is not empty where a ticket failed.
func whyFailed(state State, failure string) string {
	if state == StateFailed && failure == "" {
		return "refused by Telegram"
	}
	return failure
}

// answerAll makes the results of a ticket due that was posted, or refused: one for each request that asked for it.
func (s *Store) answerAll(tx *txn, q *queued, answer Result) error {
	rows, err := tx.rows(`SELECT id, key_id, form FROM requests WHERE ticket = ? ORDER BY id`, q.ticket)
	results, err := collect(rows, err, func(row scanner) (Result, error) {
		r := answer
		err := row.Scan(&r.RequestID, &r.Signature.KeyID, &r.Signature.Form)
		return r, err
	})
	if err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		r.Seq = s.number()
		if _, err := tx.exec(`INSERT INTO results (seq, ticket, request) VALUES (?, ?, ?)`, r.Seq, q.ticket, r.RequestID); err != nil {
			return err
		}
		r.RequestID = fromKey(r.RequestID)
	}
	if len(results) > 0 {
		tx.wake.results = true
		tx.afterCommit(func() { s.recent.add(results) })
	}
	return nil
}

// ConfirmResults ends the wait of all results up to a Seq: they are at the site.
func (s *Store) ConfirmResults(ctx context.Context, upTo int64) error {
	return s.writer.write(ctx, func(tx *txn) error {
		if _, err := tx.exec(`DELETE FROM results WHERE seq <= ?`, upTo); err != nil {
			return fmt.Errorf("confirm results: %w", err)
		}
		tx.afterCommit(func() { s.recent.confirm(upTo) })
		return nil
	})
}
