// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// group runs the bot's parts. The end of any one, or of the context, ends them all.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	parts  sync.WaitGroup

	lastCtx    context.Context
	lastCancel context.CancelFunc
	last       sync.WaitGroup

	closers []func() error

	mu   sync.Mutex
	errs []error
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancel(ctx)
	g.lastCtx, g.lastCancel = context.WithCancel(context.WithoutCancel(ctx))
	return g
}

// start runs a part.
func (g *group) start(name string, part func(context.Context) error) {
	g.parts.Go(func() { g.run(g.ctx, name, part) })
}

// startLast runs a part that is told to end only when all others have: the lease is not given up while anything of the
// bot's is still under way.
func (g *group) startLast(name string, part func(context.Context) error) {
	g.last.Go(func() { g.run(g.lastCtx, name, part) })
}

// closeAfter has something closed once all parts have ended, and before the last ones are told to.
func (g *group) closeAfter(closer func() error) { g.closers = append(g.closers, closer) }

// end ends all parts, for a reason.
func (g *group) end(why error) {
	g.fail(why)
	g.cancel()
}

func (g *group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.errs = append(g.errs, err)
}

func (g *group) run(ctx context.Context, name string, part func(context.Context) error) {
	defer g.cancel()
	if err := part(ctx); err != nil && !errors.Is(err, context.Canceled) {
		g.fail(fmt.Errorf("%s: %w", name, err))
	}
}

// wait waits for the end of all parts and returns their errors.
func (g *group) wait() error {
	g.parts.Wait()
	g.cancel()
	for _, closer := range g.closers {
		if err := closer(); err != nil {
			g.fail(err)
		}
	}
	g.lastCancel()
	g.last.Wait()
	return errors.Join(g.errs...)
}
