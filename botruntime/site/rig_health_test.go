// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"sync"
	"time"
)

// siteState is what Health.Site was told.
type siteState struct {
	ok              bool
	reason, message string
	at              time.Time
}

// testHealth records.
type testHealth struct {
	mu         sync.Mutex
	states     []siteState
	seen       int // states that waits have seen
	keys       []string
	tokens     []string
	protocols  []string
	refused    map[string]int
	offset     int64 // of the last refusal
	accepted   int
	dropped    int
	reconnects int
	change     chan struct{}
}

func newTestHealth() *testHealth {
	return &testHealth{refused: map[string]int{}, change: make(chan struct{})}
}

func (h *testHealth) record(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	close(h.change)
	h.change = make(chan struct{})
}

func (h *testHealth) Site(ok bool, reason, message string) {
	h.record(func() { h.states = append(h.states, siteState{ok, reason, message, time.Now()}) })
}
func (h *testHealth) Token(id string) { h.record(func() { h.tokens = append(h.tokens, id) }) }
func (h *testHealth) SiteKey(id string, _ time.Time) {
	h.record(func() {
		if n := len(h.keys); n == 0 || h.keys[n-1] != id {
			h.keys = append(h.keys, id)
		}
	})
}
func (h *testHealth) FrameAccepted() { h.record(func() { h.accepted++ }) }
func (h *testHealth) FrameRefused(reason string, clockOffset int64) {
	h.record(func() { h.refused[reason]++; h.offset = clockOffset })
}
func (h *testHealth) AnswerDropped() { h.record(func() { h.dropped++ }) }
func (h *testHealth) Reconnected()   { h.record(func() { h.reconnects++ }) }

func (h *testHealth) count(reason string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused[reason]
}

// see looks at what was recorded.
func (h *testHealth) see(look func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	look()
}

// reasons are those that were given, in order.
func (h *testHealth) reasons() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, state := range h.states {
		all = append(all, state.reason)
	}
	return all
}

// said counts how often a reason was given.
func (h *testHealth) said(reason string) (times int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, state := range h.states {
		if state.reason == reason {
			times++
		}
	}
	return times
}

// waitUntil waits for a condition, which it evaluates after every change.
func (h *testHealth) waitUntil(ctx context.Context, condition func() bool) error {
	for {
		h.mu.Lock()
		change := h.change
		h.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitFor waits for a state that no earlier wait has seen. It need not last: the next may follow at the same instant.
func (h *testHealth) waitFor(ctx context.Context, want func(siteState) bool) (found siteState, err error) {
	err = h.waitUntil(ctx, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for h.seen < len(h.states) {
			found = h.states[h.seen]
			h.seen++
			if want(found) {
				return true
			}
		}
		return false
	})
	return found, err
}
