// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxUnsynced is how many commits may wait to be synced while more of how jobs ended are made. It bounds what a power
// failure can undo of a chat's: so many jobs, and the one that is being sent (mostLost).
const (
	maxUnsynced = 8
	mostLost    = maxUnsynced + 1
)

// syncer makes commits durable. A commit survives the end of the process by itself; the syncer has it survive that of the
// machine. It syncs all commits that were made until it begins, so that many share what one costs, and commits go on
// meanwhile.
type syncer struct {
	sync func() error // the engine's
	woke func(wake)   // is told whom to wake

	kick, stop, ended chan struct{}

	mu       sync.Mutex
	made     commits // the last commit
	synced   commits // the last one that was synced
	waking   wake    // for what was made and not synced
	failures int
	failure  error         // of the last sync that failed
	changed  chan struct{} // closed when any of these changed
}

// commits are all commits up to one.
type commits struct {
	// number counts them; last is the highest number that rows had been given by then.
	number, last int64
}

func newSyncer(sync func() error, woke func(wake)) *syncer {
	return &syncer{sync: sync, woke: woke, kick: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
		changed: make(chan struct{})}
}

// syncRetry is how long after a failure the next try is. A disk is not tried again, see sqliteEngine.sync; a server is.
const syncRetry = time.Second

// run works until close.
func (y *syncer) run() {
	defer close(y.ended)
	for {
		var again <-chan time.Time
		if y.once() != nil {
			again = time.After(syncRetry)
		}
		select {
		case <-y.kick:
		case <-again:
		case <-y.stop:
			if again == nil { // whom the last one could not reach is not waited for once more
				_ = y.once() // close looks at what is left
			}
			return
		}
	}
}

// once syncs what was made until now.
func (y *syncer) once() error {
	y.mu.Lock()
	until, waking := y.made, y.waking
	y.waking = wake{}
	done := y.synced.number == until.number
	y.mu.Unlock()
	if done {
		return nil
	}
	err := y.sync()
	y.mu.Lock()
	if err != nil {
		y.failures++
		y.failure = err
		y.waking.add(waking)
	} else if until.number > y.synced.number {
		y.synced = until
	}
	y.tell()
	y.mu.Unlock()
	if err == nil {
		y.woke(waking)
	}
	return err
}

// tell wakes all who wait; under the lock.
func (y *syncer) tell() {
	close(y.changed)
	y.changed = make(chan struct{})
}

// reset says that everything that is there is synced, up to the number last: the database was opened just now. What was
// made before and was not synced may be lost, and whoever waits for it hears that.
func (y *syncer) reset(last int64) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.synced.number != y.made.number {
		y.failures++
		y.failure = ErrUnreachable
		y.tell()
	}
	y.made.last = last
	y.synced = y.made
	y.waking = wake{}
}

// commit notes a commit and returns its ticket.
func (y *syncer) commit(last int64, w wake) receipt {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.made.number++
	y.made.last = last
	y.waking.add(w)
	signal(y.kick)
	return receipt{y.made.number, y.failures}
}

// receipt is what tells a commit to those who wait for it to be synced: its number, and how many syncs had failed before.
type receipt struct {
	number   int64
	failures int
}

// wait returns nil once a commit is synced. Where a sync failed after it, nobody knows whether it is. Nothing was committed
// by the receipt 0.
func (y *syncer) wait(ctx context.Context, r receipt) error {
	if r.number == 0 {
		return nil
	}
	return y.until(ctx, r.failures, func() bool { return y.synced.number >= r.number })
}

// settled returns nil once everything is synced that was committed before.
func (y *syncer) settled(ctx context.Context) error {
	y.mu.Lock()
	now := receipt{y.made.number, y.failures}
	y.mu.Unlock()
	return y.wait(ctx, now)
}

// room returns nil once fewer than maxUnsynced commits wait to be synced.
func (y *syncer) room(ctx context.Context) error {
	y.mu.Lock()
	failures := y.failures
	y.mu.Unlock()
	return y.until(ctx, failures, func() bool { return y.made.number-y.synced.number < maxUnsynced })
}

func (y *syncer) until(ctx context.Context, failures int, reached func() bool) error {
	for {
		y.mu.Lock()
		done, failed, why, changed := reached(), y.failures != failures, y.failure, y.changed
		y.mu.Unlock()
		switch {
		case failed:
			return fmt.Errorf("sync: %w", why)
		case done:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-y.ended:
			if y.mu.Lock(); reached() {
				y.mu.Unlock()
				return nil
			}
			y.mu.Unlock()
			return ErrClosed
		}
	}
}

// durable is the highest number that rows of synced commits have.
func (y *syncer) durable() int64 {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.synced.last
}

// close syncs what is left, and returns why that failed, if it did.
func (y *syncer) close() error {
	close(y.stop)
	<-y.ended
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.synced.number != y.made.number {
		return fmt.Errorf("sync: %w", y.failure)
	}
	return nil
}
