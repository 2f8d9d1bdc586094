// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"
)

// Retention says for how long things are kept; 0 is the default.
type Retention struct {
	// Tickets is for tickets, their links and statuses: since anything happened to them (90 days).
	Tickets time.Duration
	// Events is for what the site may want to know (30 days).
	Events time.Duration
	// People is for those who have no ticket and are not banned: since they last wrote (180 days).
	People time.Duration
}

const day = 24 * time.Hour

func (r Retention) orDefaults() Retention {
	for _, p := range []struct {
		value *time.Duration
		days  time.Duration
	}{{&r.Tickets, 90}, {&r.Events, 30}, {&r.People, 180}} {
		if *p.value <= 0 {
			*p.value = p.days * day
		}
	}
	return r
}

const (
	// sweepRows is how many rows one commit may take away; others write between two such commits.
	sweepRows = 500
	// sweepTickets is how many tickets that is about, with what belongs to them.
	sweepTickets = 100
	// vacuumPages is how many pages one step gives back to the disk.
	vacuumPages = 256
)

// Sweep takes away what is older than the store keeps it, in small commits, and gives room back to the disk. Where the clock
// seems to have jumped since the last time, it leaves that to the next one. A ticket that
// waits is never swept, and neither is one whose result the site has not confirmed. A swept ticket is forgotten: should the
// site send its feedback again, it is a new one.
func (s *Store) Sweep(ctx context.Context) error {
	now := s.opts.Now()
	if sound, err := s.clockRuns(ctx, now); err != nil || !sound {
		return err
	}
	if err := s.sweepOldTickets(ctx, now.Add(-s.opts.Retention.Tickets)); err != nil {
		return fmt.Errorf("sweep tickets: %w", err)
	}
	for _, p := range []struct {
		what, keys, query string
		args              []any
	}{
		{"events", "seq", `SELECT seq FROM events WHERE at < ? ORDER BY seq LIMIT ?`, []any{millis(now.Add(-s.opts.Retention.Events))}},
		{"nonces", "nonce", `SELECT nonce FROM nonces WHERE expires_at < ? LIMIT ?`, []any{millis(now)}},
		{"uses", "(kind, person, at, seq)", `SELECT kind, person, at, seq FROM uses WHERE until < ? LIMIT ?`, []any{millis(now)}},
		// Of tickets that this store never had.
		{"links", "(chat_id, message_id)", `SELECT chat_id, message_id FROM links WHERE at < ?
			AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.name = links.ticket) LIMIT ?`, []any{millis(now.Add(-s.opts.Retention.Tickets))}},
		{"statuses", "seq", `SELECT seq FROM statuses WHERE at < ?
			AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.name = statuses.ticket) LIMIT ?`, []any{millis(now.Add(-s.opts.Retention.Tickets))}},
		{"persons", "id", `SELECT id FROM persons WHERE seen_at < ? AND banned_at = 0
			AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.telegram_id = persons.id AND t.telegram_id <> 0) LIMIT ?`,
			[]any{millis(now.Add(-s.opts.Retention.People))}},
	} {
		if err := s.sweepRows(ctx, `DELETE FROM `+p.what+` WHERE `+p.keys+` IN (`+p.query+`)`, append(p.args, sweepRows)); err != nil {
			return fmt.Errorf("sweep %s: %w", p.what, err)
		}
	}
	return s.shrink(ctx)
}

// counterLastSweep is the time of the last sweep.
const counterLastSweep = "last_sweep"

// longestPause is how long after the last sweep the clock is believed at once: a clock that runs ahead, until somebody sets it
// right, would have everything be old.
const longestPause = 7 * day

// clockRuns notes the time, and tells whether it may be the one that it seems to be.
func (s *Store) clockRuns(ctx context.Context, now time.Time) (sound bool, err error) {
	err = s.writer.write(ctx, func(tx *txn) error {
		var last int64
		noted, err := tx.get(`SELECT value FROM counters WHERE name = ?`, []any{counterLastSweep}, &last)
		if err != nil {
			return err
		}
		sound = !noted || now.Sub(fromMillis(last)).Abs() <= longestPause
		return tx.set(counterLastSweep, millis(now))
	})
	if err != nil {
		return false, fmt.Errorf("note the time of the sweep: %w", err)
	}
	return sound, nil
}

// sweepRows deletes rows until there are no more.
func (s *Store) sweepRows(ctx context.Context, query string, args []any) error {
	for {
		var swept int64
		if err := s.writer.write(ctx, func(tx *txn) (err error) {
			swept, err = tx.change(query, args...)
			return err
		}); err != nil || swept < sweepRows {
			return err
		}
	}
}

// aged is a ticket that may be old enough to go.
type aged struct {
	row              int64
	name             string
	received, active int64
	settled          int64
	state            State
	answered         bool
}

// sweepOldTickets walks over the tickets from the oldest to the first that is too young.
func (s *Store) sweepOldTickets(ctx context.Context, before time.Time) error {
	limit := millis(before)
	for after := int64(0); ; {
		// Tickets are looked at outside the writer, which nobody has to wait for then.
		found, err := read(ctx, s, func(row scanner) (a aged, err error) {
			err = row.Scan(&a.row, &a.name, &a.received, &a.active, &a.settled, &a.state, &a.answered)
			return a, err
		}, `SELECT id, name, received_at, active_at, settled_at, state,
			NOT EXISTS (SELECT 1 FROM results r WHERE r.ticket = tickets.id) FROM tickets WHERE id > ? ORDER BY id LIMIT ?`, after, sweepTickets)
		if err != nil || len(found) == 0 {
			return err
		}
		var old []aged
		for _, a := range found {
			if a.state != StatePending && a.answered && a.active < limit {
				old = append(old, a)
			}
		}
		if len(old) > 0 {
			if err := s.writer.write(ctx, func(tx *txn) error { return s.forget(tx, old, limit) }); err != nil {
				return err
			}
		}
		last := found[len(found)-1]
		if after = last.row; last.received >= limit {
			return nil
		}
	}
}

// forget deletes tickets with what belongs to them, and keeps count of them.
func (s *Store) forget(tx *txn, old []aged, limit int64) error {
	var posted, failed, lastPosted int64
	for _, a := range old {
		// Once more, for something may have happened to it.
		gone, err := tx.change(`DELETE FROM tickets WHERE id = ? AND state <> 'pending' AND active_at < ?
			AND NOT EXISTS (SELECT 1 FROM results r WHERE r.ticket = tickets.id)`, a.row, limit)
		if err != nil {
			return err
		}
		if gone == 0 {
			continue
		}
		if a.state == StateFailed {
			failed++
		} else {
			posted++
			lastPosted = max(lastPosted, a.settled)
		}
		for query, key := range map[string]any{
			`DELETE FROM requests WHERE ticket = ?`: a.row,
			`DELETE FROM links WHERE ticket = ?`:    a.name,
			`DELETE FROM statuses WHERE ticket = ?`: a.name,
			`DELETE FROM topics WHERE key = ?`:      ownTopic + a.name,

			`DELETE FROM outbox WHERE chat_id = 0 AND name = ?`: a.name, // it would wait for a post that never comes
		} {
			if _, err := tx.exec(query, key); err != nil {
				return err
			}
		}
	}
	return s.countSwept(tx, posted, failed, lastPosted)
}

// countSwept keeps what the counters and numbers go on from.
func (s *Store) countSwept(tx *txn, posted, failed, lastPosted int64) error {
	for name, value := range map[string]int64{counterSweptPosted: posted, counterSweptFailed: failed} {
		if _, err := tx.exec(`INSERT INTO counters (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value`, name, value); err != nil {
			return err
		}
	}
	if _, err := tx.exec(`INSERT INTO counters (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE counters.value < excluded.value`, counterLastPosted, lastPosted); err != nil {
		return err
	}
	return tx.set(counterLastNumber, s.memory.last)
}

// shrink gives the pages that are free back to the disk, where the engine does not do so by itself. The file becomes
// smaller when the log goes to it.
func (s *Store) shrink(ctx context.Context) error {
	e, ok := s.engine.(*sqliteEngine)
	if !ok {
		return nil
	}
	for shrunk := false; ; shrunk = true {
		free, err := list[int64](ctx, e.readDB, "PRAGMA freelist_count")
		switch {
		case err != nil:
			return fmt.Errorf("count the free pages: %w", err)
		case free[0] < vacuumPages && shrunk:
			_, err = e.readDB.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
			return err
		case free[0] < vacuumPages:
			return nil
		}
		if err := s.writer.write(ctx, func(tx *txn) error {
			_, err := tx.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
			return err
		}); err != nil {
			return fmt.Errorf("give pages back: %w", err)
		}
		left, err := list[int64](ctx, e.readDB, "PRAGMA freelist_count")
		if err != nil || left[0] >= free[0] {
			return err // somebody else needs them
		}
	}
}
