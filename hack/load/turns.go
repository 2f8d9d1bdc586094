// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// turns are how often the bare client and the operator change places: what the machine does beside, and how fast it is,
// changes within minutes, and then is the same for both.
const turns = 10

// turn is how long each worked before the other had its turn.
type turn struct{ floor, operator time.Duration }

// start is how long the operator and the bare client took to write the same objects.
type start struct {
	turns []turn
	// operatorServer and floorServer are what their API servers used for it, operator what the operator itself did: CPU time.
	operatorServer, floorServer, operator time.Duration
}

// total is how long each took.
func (s start) total() (all turn) {
	for _, t := range s.turns {
		all.floor += t.floor
		all.operator += t.operator
	}
	return all
}

func (t turn) ratio() float64 { return float64(t.operator) / float64(t.floor) }

// race has the bare client and a new operator write the same objects by turns, each to its own API server, until all
// exist. The operator does not run while the bare client does.
func race(ctx context.Context, o options, p *plane, log, dir string, children []applied) (op *operator, s start, err error) {
	f, err := startFloor(ctx, o, filepath.Join(dir, "floor"), children)
	if err != nil {
		return nil, s, fmt.Errorf("prepare the bare client: %w", err)
	}
	defer func() { err = errors.Join(err, f.end(ctx)) }()
	before, err := cpuOf(ctx, p, f.plane)
	if err != nil {
		return nil, s, err
	}
	for i := 1; i <= turns; i++ {
		var t turn
		began := time.Now()
		if err := f.write(ctx, o.bridges*i/turns); err != nil {
			return op, s, fmt.Errorf("write as the bare client: %w", err)
		}
		t.floor = time.Since(began)
		began = time.Now()
		if op == nil {
			op, err = startOperator(o, p, log)
		} else {
			err = op.signal(syscall.SIGCONT)
		}
		if err != nil {
			return op, s, err
		}
		wanted := o.bridges * len(children) * i / turns
		made, err := p.requests.waitUntil(ctx, "the operator's objects exist", func(t tally) bool { return t.created >= wanted })
		if err != nil {
			return op, s, err
		}
		t.operator = made.lastCreated.Sub(began)
		if i < turns {
			if err := op.signal(syscall.SIGSTOP); err != nil {
				return op, s, err
			}
			t.operator = time.Since(began)
		}
		s.turns = append(s.turns, t)
		progress("turn %d of %d: %d objects: the bare client %s, the operator %s", i, turns, wanted, seconds(t.floor), seconds(t.operator))
	}
	after, err := cpuOf(ctx, p, f.plane)
	if err != nil {
		return op, s, err
	}
	s.operatorServer, s.floorServer = after[0]-before[0], after[1]-before[1]
	own, err := op.scrape(ctx)
	s.operator = time.Duration(own.values[cpuSeconds] * float64(time.Second))
	return op, s, err
}

// cpuOf is the CPU time that API servers have used.
func cpuOf(ctx context.Context, planes ...*plane) ([]time.Duration, error) {
	used := make([]time.Duration, len(planes))
	for i, p := range planes {
		var err error
		if used[i], err = p.cpu(ctx); err != nil {
			return nil, err
		}
	}
	return used, nil
}
