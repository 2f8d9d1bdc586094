// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Legacy is what the store takes over from an earlier bot.
type Legacy struct {
	// Counters are the last numbers that it gave to tickets, by their sources.
	Counters map[ticket.Source]int64 `json:"counters,omitempty"`
	// Uses are what its users wrote lately.
	Uses []LegacyUse `json:"uses,omitempty"`
}

// LegacyUse is a ticket that counts against its author's limit.
type LegacyUse struct {
	PersonID int64     `json:"person"`
	At       time.Time `json:"at"`
}

// LegacyWindow is how long uses are kept that were taken over: as long as any limit's window should be.
const LegacyWindow = 24 * time.Hour

// Imported says what was taken over.
type Imported struct {
	// Counters are the numbers that tickets go on from, by their sources.
	Counters map[ticket.Source]int64 `json:"counters"`
	// Uses is how many were new.
	Uses int `json:"uses"`
}

// Import takes over what an earlier bot left behind. Counters never go back, and what was taken over before is not once
// more. Uses of the future, or older than LegacyWindow, are left out.
func (s *Store) Import(ctx context.Context, l Legacy) (got Imported, err error) {
	now := s.opts.Now()
	err = s.writer.write(ctx, func(tx *txn) error {
		got = Imported{Counters: map[ticket.Source]int64{}}
		for source, value := range l.Counters {
			var number int64
			tx.dirty = true
			if _, err := tx.get(`INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
				SET value = CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END RETURNING value`,
				[]any{counterOf(source), value}, &number); err != nil {
				return fmt.Errorf("take over a counter: %w", err)
			}
			got.Counters[source] = number
		}
		for _, u := range l.Uses {
			if u.At.After(now) || !u.At.After(now.Add(-LegacyWindow)) {
				continue
			}
			known, err := tx.get(`SELECT 1 FROM uses WHERE kind = ? AND person = ? AND at = ?`,
				[]any{LimitFeedback, u.PersonID, millis(u.At)}, new(int))
			if err == nil && !known {
				got.Uses++
				err = addUse(tx, s.number(), LimitFeedback, u.PersonID, u.At, u.At.Add(LegacyWindow))
			}
			if err != nil {
				return fmt.Errorf("take over a use: %w", err)
			}
		}
		return nil
	})
	return got, err
}

// ImportDir is Import into the database in a directory where no bot works, which is made as needed.
func ImportDir(ctx context.Context, dir string, l Legacy) (got Imported, err error) {
	s, err := Open(ctx, Options{Dir: dir, offline: true})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Import(ctx, l)
}
