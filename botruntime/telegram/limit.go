// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"sync"
	"time"
)

// window admits so many calls in any window of time, as the server counts them. The server counts a call at some moment
// between its begin and its end here, so a place is taken before the call begins and is free again a window after it
// ended: however long calls travel, the server never sees too many. Who waits is served in the order of arrival, so that no chat
// gets more of the overall window than another. A nil window admits everything.
type window struct {
	places int
	length time.Duration
	door   chan struct{} // whoever is first in the queue holds it; goroutines that wait for a channel are served in order

	mu     sync.Mutex
	calls  int         // under way
	free   []time.Time // when the places of ended calls are free again; oldest first
	change chan struct{}
}

// margins, because clocks differ a little in speed and servers in what they round.
const (
	leastMargin = time.Millisecond
	mostMargin  = 25 * time.Millisecond
)

// newWindow returns the window for a limit, nil for none.
func newWindow(l Limit) *window {
	if l.Messages == 0 {
		return nil
	}
	margin := min(max(l.Window/1000, leastMargin), mostMargin)
	return &window{places: l.Messages, length: l.Window + margin, door: make(chan struct{}, 1), change: make(chan struct{})}
}

// try takes a place if there is one now and nobody waits for it.
func (w *window) try() bool {
	if w == nil {
		return true
	}
	select {
	case w.door <- struct{}{}:
	default:
		return false
	}
	ok, _, _ := w.look()
	<-w.door
	return ok
}

// look takes a place if there is one now. Otherwise it returns when one may be free: after wait (if that is positive),
// or at the next change.
func (w *window) look() (ok bool, wait time.Duration, change <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for len(w.free) > 0 && !w.free[0].After(now) {
		w.free = w.free[1:]
	}
	if w.calls+len(w.free) < w.places {
		w.calls++
		return true, 0, nil
	}
	if len(w.free) > 0 {
		wait = w.free[0].Sub(now)
	}
	return false, wait, w.change
}

// acquire waits for a place, behind those who wait already.
func (w *window) acquire(ctx context.Context) error {
	if w == nil {
		return nil
	}
	select {
	case w.door <- struct{}{}:
		defer func() { <-w.door }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		ok, wait, change := w.look()
		if ok {
			return nil
		}
		if err := pause(ctx, wait, change); err != nil {
			return err
		}
	}
}

// end says that the call that took a place is over; made is whether there was a call at all.
func (w *window) end(made bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls--
	if made {
		w.free = append(w.free, time.Now().Add(w.length))
	}
	close(w.change)
	w.change = make(chan struct{})
}

// slot is a place in a chat's window and in the overall one.
type slot struct{ chat, overall *window }

func (s slot) try() bool {
	if !s.chat.try() {
		return false
	}
	if !s.overall.try() {
		s.chat.end(false)
		return false
	}
	return true
}

// acquire waits for the chat's place first: the overall one is taken from everybody.
func (s slot) acquire(ctx context.Context) error {
	if err := s.chat.acquire(ctx); err != nil {
		return err
	}
	if err := s.overall.acquire(ctx); err != nil {
		s.chat.end(false)
		return err
	}
	return nil
}

func (s slot) end(made bool) {
	s.chat.end(made)
	s.overall.end(made)
}
