// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrClosed means that the server was closed during a wait.
var ErrClosed = errors.New("the server is closed")

// Revision numbers the states of a server, and wakes those who wait for another one.
type Revision struct {
	mu     *sync.Mutex // the server's, so that nobody looks in the middle of a change
	done   <-chan struct{}
	number int64
	change chan struct{} // closed when number grows; nil where nobody waits
}

// NewRevision returns revision 0 of a server that mu guards, and whose closing closes done.
func NewRevision(mu *sync.Mutex, done <-chan struct{}) *Revision {
	return &Revision{mu: mu, done: done}
}

// Grow marks that something visible changed, and returns the new revision. The server's mutex must be held.
func (r *Revision) Grow() int64 {
	r.number++
	if r.change != nil {
		close(r.change)
		r.change = nil
	}
	return r.number
}

// WaitFor waits until condition is true, which it evaluates now and after each change; changes that come while it runs
// count as one. The server's mutex must not be held, and is not while the condition runs.
func (r *Revision) WaitFor(ctx context.Context, condition func() bool) error {
	for {
		r.mu.Lock()
		if r.change == nil {
			r.change = make(chan struct{})
		}
		change := r.change
		r.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("wait: %w", ctx.Err())
		case <-r.done:
			return ErrClosed
		}
	}
}

// WaitChange waits until the revision is another than since, and returns it; a wait that ends early, the same.
func (r *Revision) WaitChange(ctx context.Context, since int64) (revision int64) {
	_ = r.WaitFor(ctx, func() bool { // ends early with the revision as it is
		r.mu.Lock()
		defer r.mu.Unlock()
		revision = r.number
		return revision != since
	})
	return revision
}
