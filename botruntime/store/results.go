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
	rows, err := s.dueResults.QueryContext(ctx, after, s.writer.syncer.durable(), limit)
	results, err := collect(rows, err, scanResult)
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
	if state == StateFailed && r.Failure == "" {
		r.Failure = "refused by Telegram"
	}
	return r, nil
}

// ConfirmResults ends the wait of all results up to a Seq: they are at the site.
func (s *Store) ConfirmResults(ctx context.Context, upTo int64) error {
	return s.writer.write(ctx, func(tx *txn) error {
		if _, err := tx.exec(`DELETE FROM results WHERE seq <= ?`, upTo); err != nil {
			return fmt.Errorf("confirm results: %w", err)
		}
		return nil
	})
}
