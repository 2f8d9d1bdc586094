// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// memory is what the store knows without asking the database. It is read whenever the write connection was opened, and
// changed after commits.
type memory struct {
	// last is the last number that was given; the writer's. Numbers of changes that were undone stay unused.
	last int64
	// claims are the jobs that were claimed, by their chats; the writer's.
	claims map[int64]queued
	// ahead are the jobs that come next.
	ahead readAhead
	// held is false while no message waits for a ticket's post.
	held bool

	// chats are the groups that became supergroups, with their new ids.
	chats atomic.Pointer[map[int64]int64]

	mu     sync.Mutex
	counts Counts
}

// The counters that say what the sweep has taken away.
const (
	counterSweptPosted = "swept_posted"
	counterSweptFailed = "swept_failed"
	counterLastPosted  = "last_posted"
	counterLastNumber  = "last_number"
)

// number is the next number.
func (s *Store) number() int64 {
	s.memory.last++
	return s.memory.last
}

// load reads the memory.
func (s *Store) load(tx *txn) error {
	var last int64
	if _, err := tx.get(`SELECT max(coalesce(n, 0)) FROM (
		SELECT max(id) AS n FROM tickets UNION ALL SELECT max(seq) FROM outbox UNION ALL SELECT max(seq) FROM results
		UNION ALL SELECT max(again) FROM requests WHERE again > 0 UNION ALL SELECT max(seq) FROM statuses
		UNION ALL SELECT max(seq) FROM events UNION ALL SELECT value FROM counters WHERE name = ?) numbers`,
		[]any{counterLastNumber}, &last); err != nil {
		return fmt.Errorf("find the last number: %w", err)
	}
	s.memory.last = max(s.memory.last, last)
	if s.memory.claims == nil {
		s.memory.claims = map[int64]queued{}
	}
	s.memory.ahead = readAhead{}
	s.memory.held = true // it shows
	s.recent.reset(s.memory.last)
	tx.undone = func() { clear(s.memory.ahead) }
	chats, err := loadChats(tx)
	if err != nil {
		return fmt.Errorf("read the chats that moved: %w", err)
	}
	s.memory.chats.Store(&chats)
	counts, err := loadCounts(tx)
	if err != nil {
		return fmt.Errorf("count tickets: %w", err)
	}
	s.count(func(c *Counts) { *c = counts })
	return nil
}

func loadChats(tx *txn) (map[int64]int64, error) {
	type move struct{ from, to int64 }
	rows, err := tx.rows(`SELECT id, new_id FROM chats`)
	moves, err := collect(rows, err, func(row scanner) (m move, err error) {
		err = row.Scan(&m.from, &m.to)
		return m, err
	})
	chats := map[int64]int64{}
	for _, m := range moves {
		chats[m.from] = m.to
	}
	return chats, err
}

// EffectiveChat is the chat that a chat has become: the same, unless its group became a supergroup.
func (s *Store) EffectiveChat(id int64) int64 {
	if chats := s.memory.chats.Load(); chats != nil {
		if to, moved := (*chats)[id]; moved {
			return to
		}
	}
	return id
}

// movedChat notes that a chat has become another one.
func (s *Store) movedChat(from, to int64) {
	chats := maps.Clone(*s.memory.chats.Load())
	for old, now := range chats {
		if now == from {
			chats[old] = to
		}
	}
	chats[from] = to
	delete(chats, to)
	s.memory.chats.Store(&chats)
}

// Counts returns the store's counters.
func (s *Store) Counts() Counts {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.counts
}

func (s *Store) count(change func(*Counts)) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	change(&s.memory.counts)
}

// recentPosts is how many of the newest posts are looked at for the last one: tickets are posted about in their order.
const recentPosts = 100

// loadCounts counts without a look at every ticket's page.
func loadCounts(tx *txn) (c Counts, err error) {
	var kept, sweptPosted, last, lastSwept int64
	if _, err := tx.get(`SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM tickets WHERE state = 'failed'),
		(SELECT count(*) FROM outbox WHERE kind = 'post'),
		coalesce((SELECT value FROM counters WHERE name = ?), 0), coalesce((SELECT value FROM counters WHERE name = ?), 0),
		coalesce((SELECT value FROM counters WHERE name = ?), 0),
		coalesce((SELECT max(settled_at) FROM (SELECT settled_at FROM tickets WHERE state = 'posted' ORDER BY id DESC LIMIT ?) newest), 0)`,
		[]any{counterSweptPosted, counterSweptFailed, counterLastPosted, recentPosts},
		&kept, &c.Failed, &c.Pending, &sweptPosted, &c.Received, &lastSwept, &last); err != nil {
		return c, err
	}
	sweptFailed := c.Received
	c.Posted = kept - c.Failed - c.Pending + sweptPosted
	c.Failed += sweptFailed
	c.Received = kept + sweptPosted + sweptFailed
	if last = max(last, lastSwept); last != 0 {
		c.LastPosted = time.UnixMilli(last).UTC()
	}
	return c, nil
}
