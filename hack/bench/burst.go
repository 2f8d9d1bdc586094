// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// burst is what a client made of many feedbacks at once.
type burst struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the client, a ticket
	peers     time.Duration // of the peers' CPU, a ticket
	peak      int64
}

// compare gives bursts to the bare client and to the bot in turns, each in a process of its own, so that what else the machine does
// meets both.
func compare(ctx context.Context, o options, p *peers) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	var bots, bares []burst
	for i := range o.rounds {
		of, err := p.measureBurst(ctx, o.tickets, self, p.bareArgs()...)
		if err != nil {
			return fmt.Errorf("the bare client: %w", err)
		}
		bares = append(bares, of)
		if of, err = p.measureBurst(ctx, o.tickets, o.bot, p.botArgs(filepath.Join(p.dir, fmt.Sprint("burst", i)))...); err != nil {
			return fmt.Errorf("the bot: %w", err)
		}
		bots = append(bots, of)
	}
	if len(bots) == 0 {
		return nil
	}
	bot, floor := report("the bot", o.tickets, bots), report("a bare client that stores nothing", o.tickets, bares)
	row("the bot against the bare client: results a second, CPU", fmt.Sprintf("%.2f, %.1f x", bot.perSecond/floor.perSecond,
		float64(bot.cpu)/float64(floor.cpu)))
	return nil
}

// report prints the burst with the median rate, and the range of rates.
func report(who string, tickets int, bursts []burst) burst {
	slices.SortFunc(bursts, func(a, b burst) int { return int(a.perSecond - b.perSecond) })
	m := bursts[len(bursts)/2]
	row("burst of %d, %s: results a second, median of %d (range)", fmt.Sprintf("%.0f (%.0f-%.0f)", m.perSecond, bursts[0].perSecond,
		bursts[len(bursts)-1].perSecond), tickets, who, len(bursts))
	row("burst of %d, %s: CPU a ticket (of the peers)", fmt.Sprintf("%s (%s)", ms(m.cpu), ms(m.peers)), tickets, who)
	row("burst of %d, %s: feedback to result, p50, p99", fmt.Sprintf("%s, %s", ms(m.p50), ms(m.p99)), tickets, who)
	row("burst of %d, %s: peak RSS", mib(m.peak), tickets, who)
	return m
}

// measureBurst starts a client, gives it a burst, and stops it.
func (p *peers) measureBurst(ctx context.Context, n int, program string, args ...string) (of burst, err error) {
	_, err = p.start(ctx, func(b *process) error {
		err := p.burst(ctx, n, b, &of)
		return errors.Join(err, b.stop())
	}, program, args...)
	return of, err
}

// burst sends n feedbacks at once, on a connection of their own so that their figures stand alone.
func (p *peers) burst(ctx context.Context, n int, b *process, of *burst) error {
	old := p.site.Load()
	p.newSite()
	old.Close()
	if err := p.site.Load().WaitConnected(ctx); err != nil {
		return err
	}
	before, err := b.usage()
	if err != nil {
		return err
	}
	own, err := ownCPU()
	if err != nil {
		return err
	}
	for range n {
		if err := p.send(); err != nil {
			return err
		}
	}
	if err := p.site.Load().WaitResults(ctx, int64(n)); err != nil {
		return fmt.Errorf("wait for the results: %w", err)
	}
	after, err := b.usage()
	if err != nil {
		return err
	}
	ownAfter, err := ownCPU()
	if err != nil {
		return err
	}
	s := p.stats()
	*of = burst{perSecond: s.PerSecond, p50: time.Duration(s.P50), p99: time.Duration(s.P99), peak: after.peak,
		cpu: (after.cpu - before.cpu) / time.Duration(n), peers: (ownAfter - own) / time.Duration(n)}
	return check(s, n)
}

// check judges a burst. Results of nothing that the site knows are those of the connection before, which were not confirmed there.
func check(s simsite.Stats, tickets int) error {
	if s.OK != int64(tickets) || s.Missigned+s.Malformed+s.Failed != 0 {
		return fmt.Errorf("the burst did not go well: %+v", s)
	}
	return nil
}

// ownCPU is the CPU time of this process, which is that of the peers.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the CPU time of the peers: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
