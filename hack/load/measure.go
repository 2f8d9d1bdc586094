// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// measureOperator takes all figures of the operator on one API server, on which bridges wait for it. children are what
// it makes for one bridge, as they were recorded.
func measureOperator(ctx context.Context, o options, dir string, children []applied, r *report) (err error) {
	p, err := startPlane(ctx, filepath.Join(dir, "operator"), "Metadata")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	bridges := nameBridges(o.bridges, o.namespaces)
	progress("operator: creating %d bridges", o.bridges)
	if err := create(ctx, p, bridges, o.others); err != nil {
		return err
	}
	log := filepath.Join(dir, "operator.log")
	op, err := measureStart(ctx, o, p, log, dir, children, r)
	if op != nil {
		defer func() { err = errors.Join(err, op.stop()) }()
	}
	if err != nil {
		return err
	}
	stop, err := bringUp(ctx, p, op, bridges, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := measureSettled(ctx, o, p, op, r); err != nil {
		return err
	}
	progress("operator: changing %d Secrets", o.changes)
	if r.changes, err = measureChanges(ctx, p, bridges, o.changes); err != nil {
		return err
	}
	if _, err := p.requests.waitQuiet(ctx, quiet); err != nil {
		return err
	}
	if err := op.stop(); err != nil {
		return err
	}
	again, err := startOperator(o, p, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, again.stop()) }()
	return measureRestart(ctx, o, p, again, r)
}

// measureStart starts the operator, waits until every child exists and until nothing more is written.
func measureStart(ctx context.Context, o options, p *plane, log, dir string, children []applied, r *report) (op *operator, err error) {
	if op, r.start, err = race(ctx, o, p, log, dir, children); err != nil {
		return op, err
	}
	quietened, err := p.requests.waitQuiet(ctx, quiet)
	if err != nil {
		return op, err
	}
	r.quiet, r.startCalls = r.start.total().operator+quietened.lastWrite.Sub(quietened.lastCreated), quietened.calls
	return op, nil
}

// bringUp starts the bots, and waits until every bridge is Ready and nothing more is written. stop ends the bots.
func bringUp(ctx context.Context, p *plane, op *operator, bridges []*bridge, r *report) (stop func() error, err error) {
	if r.waiting, err = op.memory(ctx); err != nil {
		return nil, err
	}
	before, err := p.requests.seen()
	if err != nil {
		return nil, err
	}
	progress("operator: starting %d bots", len(bridges))
	start := time.Now()
	if err := runBots(ctx, p, bridges); err != nil {
		return nil, err
	}
	started := time.Now()
	r.botsUp = started.Sub(start)
	stop = heartbeats(ctx, p, bridges)
	after, err := p.requests.waitQuiet(ctx, quiet)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	r.ready, r.readyCalls = max(0, after.lastWrite.Sub(started)), after.since(before)
	n, err := countReady(ctx, p)
	if err == nil && n != len(bridges) {
		err = fmt.Errorf("%d of %d bridges are Ready after their bots reported", n, len(bridges))
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// measureSettled watches bridges to which nothing happens but heartbeats.
func measureSettled(ctx context.Context, o options, p *plane, op *operator, r *report) error {
	progress("operator: settled for %s", o.settled)
	before, err := p.requests.seen()
	if err != nil {
		return err
	}
	first, err := op.scrape(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(o.settled):
	}
	last, err := op.scrape(ctx)
	if err != nil {
		return err
	}
	r.settledCPU = (last.values[cpuSeconds] - first.values[cpuSeconds]) / time.Since(start).Seconds()
	after, err := p.requests.seen()
	if err != nil {
		return err
	}
	r.settledWrites, r.settledCalls = after.writes-before.writes, after.since(before)
	if r.running, err = op.memory(ctx); err != nil {
		return err
	}
	for range 5 {
		s, err := op.scrape(ctx)
		if err != nil {
			return err
		}
		r.scrapes, r.scrapeSize = append(r.scrapes, s.took), s.size
	}
	return nil
}

// measureRestart waits until an operator that finds everything as it should be has looked at every bridge.
func measureRestart(ctx context.Context, o options, p *plane, op *operator, r *report) error {
	progress("operator: restarted")
	before, err := p.requests.seen()
	if err != nil {
		return err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := op.scrape(ctx)
		looked := int(s.values["controller_runtime_reconcile_total"]) >= o.bridges &&
			s.values["workqueue_depth"] == 0 && s.values["controller_runtime_active_workers"] == 0
		if err == nil && looked {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the restarted operator: %w", ctx.Err())
		case <-tick.C:
		}
	}
	r.restart = time.Since(op.started)
	after, err := p.requests.waitQuiet(ctx, quiet)
	if err != nil {
		return err
	}
	r.restartCalls, r.restartWrites = after.since(before), after.writes-before.writes
	return nil
}
