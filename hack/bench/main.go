// SPDX-License-Identifier: Apache-2.0

// Command bench measures the bot as its users would see it: the real program, with a simulated site and a simulated
// Telegram without limits on the same machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/feedbackbridge/feedbackbridge/hack/cli"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

type options struct {
	bot      string
	tickets  int
	rate     int
	starts   int
	idle     time.Duration
	patience time.Duration
}

func main() { cli.Main(command()) }

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "bench --bot PATH",
		Short: "Measure the bot",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), o.patience)
			defer cancel()
			return run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.bot, "bot", "bin/feedbackbridge-bot", "the bot's program")
	f.IntVar(&o.tickets, "tickets", 2000, "feedbacks of the burst")
	f.IntVar(&o.rate, "rate", 100, "feedbacks a second of the steady run, which takes five seconds")
	f.IntVar(&o.starts, "starts", 9, "starts to measure")
	f.DurationVar(&o.idle, "idle", 15*time.Second, "how long the bot idles before its memory is read")
	f.DurationVar(&o.patience, "patience", 5*time.Minute, "how long everything may take")
	return cmd
}

// run measures in one go, so that the figures belong together.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "fbb-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := newPeers(dir)
	if err != nil {
		return err
	}
	defer p.close()

	fmt.Printf("%s/%s, %d CPUs, %s; the simulated peers share them\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Println("| what | figure |\n|---|---|")
	var connects []time.Duration
	for i := range o.starts {
		took, err := p.start(ctx, o.bot, filepath.Join(dir, fmt.Sprint("start", i)), (*process).stop)
		if err != nil {
			return err
		}
		connects = append(connects, took)
	}
	slices.Sort(connects)
	row("start to connected, median of %d (worst)", fmt.Sprintf("%s (%s)", ms(connects[len(connects)/2]), ms(connects[len(connects)-1])), o.starts)
	_, err = p.start(ctx, o.bot, filepath.Join(dir, "state"), func(b *process) error {
		return errors.Join(measure(ctx, o, p, b), b.stop())
	})
	return err
}

// measure reads a connected bot's memory, then loads it.
func measure(ctx context.Context, o options, p *peers, b *process) error {
	select {
	case <-time.After(o.idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	idle, err := b.usage()
	if err != nil {
		return err
	}
	row("idle memory after %s: RSS (private)", fmt.Sprintf("%s (%s)", mib(idle.rss), mib(idle.anon)), o.idle)

	if err := p.steady(ctx, o.rate, 5*o.rate); err != nil {
		return err
	}
	steady := p.stats()
	row("feedback to result at %d a second: p50, p99", fmt.Sprintf("%s, %s", ms(time.Duration(steady.P50)), ms(time.Duration(steady.P99))), o.rate)

	before, err := b.usage()
	if err != nil {
		return err
	}
	burst, err := p.burst(ctx, o.tickets)
	if err != nil {
		return err
	}
	after, err := b.usage()
	if err != nil {
		return err
	}
	row("burst of %d: results a second", fmt.Sprintf("%.0f", burst.PerSecond), o.tickets)
	row("burst of %d: feedback to result, p50, p99", fmt.Sprintf("%s, %s", ms(time.Duration(burst.P50)), ms(time.Duration(burst.P99))), o.tickets)
	row("burst of %d: CPU a ticket", ms((after.cpu-before.cpu)/time.Duration(o.tickets)), o.tickets)
	row("peak RSS", mib(after.peak))
	return check(burst, o.tickets)
}

// check judges a burst. Results of nothing that the site knows are those of the connection before, which were not confirmed there.
func check(s simsite.Stats, tickets int) error {
	if s.OK != int64(tickets) || s.Missigned+s.Malformed+s.Failed != 0 {
		return fmt.Errorf("the burst did not go well: %+v", s)
	}
	return nil
}

func row(what, figure string, args ...any) {
	fmt.Printf("| %s | %s |\n", fmt.Sprintf(what, args...), figure)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond)) }

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
