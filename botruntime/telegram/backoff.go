// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"time"
)

// forever is a pause that only its wake-up ends.
const forever = time.Duration(0)

// pause waits for a time, or until wake is closed or signalled; its error is the context's.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	var due <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	firstDelay = 500 * time.Millisecond
	// longestDelay bounds the wait between tries: a person who mended something should not have to wait long.
	longestDelay = time.Minute
)

// backoff is exponential, and spread by jitter over the upper half of each delay.
type backoff struct {
	jitter   func() float64
	failures int
}

func (b *backoff) reset() { b.failures = 0 }

// next is how long to wait after one more failure.
func (b *backoff) next() time.Duration {
	d := min(firstDelay<<min(b.failures, 16), longestDelay)
	b.failures++
	return d/2 + time.Duration(b.jitter()*float64(d/2))
}
