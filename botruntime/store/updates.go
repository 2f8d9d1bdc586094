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
	return read(ctx, s, func(row scanner) (u Update, err error) {
		err = row.Scan(&u.ID, &u.Payload)
		return u, err
	}, `SELECT id, payload FROM updates WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
}

// NextOffset is the offset that confirms the saved updates to Telegram, or 0 (everything that Telegram has) when the
// last one is so old that its number means nothing any more.
func (s *Store) NextOffset(ctx context.Context) (int64, error) {
	last, err := read(ctx, s, scanOne[int64], `
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

// unit is a transaction, as those see it who handle updates.
type unit struct {
	store *Store
	tx    *txn
}

var _ Tx = (*unit)(nil)

// Handle ends an update and commits, in one transaction, all that follows from it. One that ended before is not handled
// again. An error of handle's undoes everything, and the update waits as before; handle may run more than once. A panic of
// handle's goes on in the caller.
func (s *Store) Handle(ctx context.Context, id int64, handle func(Tx) error) error {
	var panicked any
	err := s.writer.write(ctx, func(tx *txn) (err error) {
		defer func() {
			if panicked = recover(); panicked != nil {
				err = errPanicked
			}
		}()
		waited, err := tx.change(`DELETE FROM updates WHERE id = ?`, id)
		if err != nil {
			return fmt.Errorf("finish an update: %w", err)
		}
		if waited == 0 {
			return nil
		}
		return handle(&unit{store: s, tx: tx})
	})
	if errors.Is(err, errPanicked) && panicked != nil {
		panic(panicked)
	}
	return err
}

var errPanicked = errors.New("the handler of an update panicked")
