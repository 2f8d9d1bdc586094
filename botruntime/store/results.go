// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
)

const selectDueResults = `
	SELECT r.due, r.id, r.key_id, r.form, t.name, coalesce(t.message_id, 0), t.settled_at, t.state, t.failure
	FROM requests r JOIN tickets t ON t.id = r.ticket
	WHERE r.due > ? ORDER BY r.due LIMIT ?`

// DueResults returns results that are due at the site, in the order of their Seq, from behind after.
func (s *Store) DueResults(ctx context.Context, after int64, limit int) (results []Result, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the results that are due: %w", err)
		}
	}()
	rows, err := s.dueResults.QueryContext(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			r         Result
			settledAt int64
			state     string
		)
		if err := rows.Scan(&r.Seq, &r.RequestID, &r.Signature.KeyID, &r.Signature.Form, &r.TicketID, &r.MessageID,
			&settledAt, &state, &r.Failure); err != nil {
			return nil, err
		}
		r.SentAt = fromMillis(settledAt)
		if state == "failed" && r.Failure == "" {
			r.Failure = "refused by Telegram"
		}
		results = append(results, r)
	}
	return results, rows.Err()
}

// ConfirmResults ends the wait of all results up to a Seq: they are at the site.
func (s *Store) ConfirmResults(ctx context.Context, upTo int64) error {
	return s.writer.write(ctx, func(tx *txn) error {
		if _, err := tx.exec(`UPDATE requests SET due = NULL WHERE due <= ?`, upTo); err != nil {
			return fmt.Errorf("confirm results: %w", err)
		}
		return nil
	})
}
