// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// updateMemory is how long Telegram keeps an update, and so how long an offset means anything: it may number its
// updates anew when a bot has had none for a week.
const updateMemory = 24 * time.Hour

// The counters that NextOffset is kept in.
const (
	counterLastUpdate   = "last_update"
	counterLastUpdateAt = "last_update_at"
)

// SaveUpdates makes updates durable; those that it has already are left as they are.
func (s *Store) SaveUpdates(ctx context.Context, updates []Update) error {
	return s.writer.write(ctx, func(tx *txn) error {
		var last int64
		for _, u := range updates {
			if _, err := tx.exec(`INSERT INTO updates (id, payload) VALUES (?, ?) ON CONFLICT DO NOTHING`, u.ID, u.Payload); err != nil {
				return fmt.Errorf("save an update: %w", err)
			}
			last = max(last, u.ID)
		}
		if len(updates) == 0 {
			return nil
		}
		return errors.Join(tx.set(counterLastUpdate, last), tx.set(counterLastUpdateAt, millis(s.opts.Now())))
	})
}

// PendingUpdates returns updates that are not finished, by their ids, from behind after.
func (s *Store) PendingUpdates(ctx context.Context, after int64, limit int) (updates []Update, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the updates that wait: %w", err)
		}
	}()
	rows, err := s.reads.QueryContext(ctx, `SELECT id, payload FROM updates WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u Update
		if err := rows.Scan(&u.ID, &u.Payload); err != nil {
			return nil, err
		}
		updates = append(updates, u)
	}
	return updates, rows.Err()
}

// NextOffset is the offset that confirms the saved updates to Telegram, or 0 (everything that Telegram has) when the
// last one is so old that its number means nothing any more.
func (s *Store) NextOffset(ctx context.Context) (int64, error) {
	last, err := list[int64](ctx, s.reads, `
		SELECT value + 1 FROM counters WHERE name = ? AND EXISTS (SELECT 1 FROM counters WHERE name = ? AND value > ?)`,
		counterLastUpdate, counterLastUpdateAt, millis(s.opts.Now().Add(-updateMemory)))
	if err != nil {
		return 0, fmt.Errorf("read the offset of updates: %w", err)
	}
	if len(last) == 0 {
		return 0, nil
	}
	return last[0], nil
}

// FinishUpdate ends an update and commits what handling it led to, in one commit. An update that was finished before
// has no effects again.
func (s *Store) FinishUpdate(ctx context.Context, id int64, effects Effects) error {
	return s.writer.write(ctx, func(tx *txn) error {
		waited, err := tx.get(`DELETE FROM updates WHERE id = ? RETURNING 1`, []any{id}, new(int))
		if err == nil && waited {
			err = s.apply(tx, effects)
		}
		if err != nil {
			return fmt.Errorf("finish an update: %w", err)
		}
		return nil
	})
}

func (s *Store) apply(tx *txn, effects Effects) error {
	for _, m := range effects.Messages {
		if _, err := tx.exec(`INSERT INTO outbox (chat_id, priority, kind, payload) VALUES (?, ?, 'message', ?)`,
			m.ChatID, priorityMessage, m.Payload); err != nil {
			return fmt.Errorf("put a message into the outbox: %w", err)
		}
	}
	for _, e := range effects.Edits {
		// A new row rather than a changed one: whoever sends the old one must not end the new one.
		if _, err := tx.exec(`DELETE FROM outbox WHERE kind = 'edit' AND chat_id = ? AND message_id = ?`, e.ChatID, e.MessageID); err != nil {
			return fmt.Errorf("replace an edit: %w", err)
		}
		if _, err := tx.exec(`INSERT INTO outbox (chat_id, priority, kind, message_id, payload) VALUES (?, ?, 'edit', ?, ?)`,
			e.ChatID, priorityEdit, e.MessageID, e.Payload); err != nil {
			return fmt.Errorf("put an edit into the outbox: %w", err)
		}
	}
	for _, c := range effects.Statuses {
		if err := recordStatus(tx, c); err != nil {
			return fmt.Errorf("record a status: %w", err)
		}
	}
	if len(effects.Messages)+len(effects.Edits) > 0 {
		tx.afterCommit(func() { signal(s.outboxReady) })
	}
	return nil
}

func recordStatus(tx *txn, c StatusChange) error {
	if _, err := tx.exec(`UPDATE tickets SET status = ? WHERE name = ?`, c.Status, c.TicketID); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO statuses (ticket, status, actor_id, actor_name, at) VALUES (?, ?, ?, ?, ?)`,
		c.TicketID, c.Status, c.ActorID, c.ActorName, millis(c.At))
	return err
}
