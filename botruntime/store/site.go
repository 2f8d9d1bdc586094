// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
)

// counterSiteReplies is 1 where the site takes replies.
const counterSiteReplies = "site_takes_replies"

// SiteTakesReplies tells whether what the staff answers reaches the site, by what it said last.
func (s *Store) SiteTakesReplies() bool { return s.memory.siteReplies.Load() }

// NoteSiteTakesReplies notes whether it does. It is remembered over restarts: replies wait while the site is away.
func (s *Store) NoteSiteTakesReplies(ctx context.Context, takes bool) error {
	if s.SiteTakesReplies() == takes {
		return nil
	}
	value := int64(0)
	if takes {
		value = 1
	}
	if err := s.writer.write(ctx, func(tx *txn) error {
		tx.afterCommit(func() { s.memory.siteReplies.Store(takes) })
		return tx.set(counterSiteReplies, value)
	}); err != nil {
		return fmt.Errorf("note what the site takes: %w", err)
	}
	return nil
}

// loadSite reads what is known of the site.
func (s *Store) loadSite(tx *txn) error {
	var takes int64
	_, err := tx.get(`SELECT value FROM counters WHERE name = ?`, []any{counterSiteReplies}, &takes)
	if err != nil {
		return fmt.Errorf("read what the site takes: %w", err)
	}
	s.memory.siteReplies.Store(takes == 1)
	return nil
}
