// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells on w what takes long, how long it usually takes, and that it is still going on.
type progress struct {
	w     io.Writer
	every time.Duration
	now   func() time.Time
	mu    sync.Mutex
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, every: 15 * time.Second, now: time.Now}
}

// say prints one line.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// step runs work and prints when it begins, every 15 s while it goes on, and when it is done or has failed.
// usual is how long it takes on two cores; 0 says nothing about it.
func (p *progress) step(what string, usual time.Duration, work func() error) error {
	start := p.now()
	elapsed := func() time.Duration { return p.now().Sub(start).Round(100 * time.Millisecond) }
	if usual > 0 {
		p.say("%s (usually %s) ...", what, usual)
	} else {
		p.say("%s ...", what)
	}
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.say("%s ... %s so far", what, elapsed().Round(time.Second))
		case err := <-done:
			if err != nil {
				p.say("%s: failed after %s", what, elapsed())
				return fmt.Errorf("%s: %w", what, err)
			}
			p.say("%s: done in %s", what, elapsed())
			return nil
		}
	}
}
