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
)

type options struct {
	bot, dir string
	tickets  int
	rate     int
	starts   int
	rounds   int
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
	f.StringVar(&o.dir, "dir", "", "where the bots keep their state while it is measured; the directory for temporary files unless given")
	f.IntVar(&o.tickets, "tickets", 2000, "feedbacks of the burst")
	f.IntVar(&o.rounds, "rounds", 3, "bursts of the bot, and of the bare client, in turns")
	f.IntVar(&o.rate, "rate", 100, "feedbacks a second of the steady run, which takes five seconds")
	f.IntVar(&o.starts, "starts", 9, "starts to measure")
	f.DurationVar(&o.idle, "idle", 15*time.Second, "how long the bot idles before its memory is read")
	f.DurationVar(&o.patience, "patience", 5*time.Minute, "how long everything may take")
	cmd.AddCommand(bareCommand())
	return cmd
}

// run measures in one go, so that the figures belong together.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp(o.dir, "fbb-bench")
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
	if err := measureStarts(ctx, o, p); err != nil {
		return err
	}
	_, err = p.start(ctx, func(b *process) error { return errors.Join(measureRest(ctx, o, p, b), b.stop()) },
		o.bot, p.botArgs(filepath.Join(dir, "state"))...)
	if err != nil {
		return err
	}
	return compare(ctx, o, p)
}

func measureStarts(ctx context.Context, o options, p *peers) error {
	var connects []time.Duration
	for i := range o.starts {
		took, err := p.start(ctx, (*process).stop, o.bot, p.botArgs(filepath.Join(p.dir, fmt.Sprint("start", i)))...)
		if err != nil {
			return err
		}
		connects = append(connects, took)
	}
	if len(connects) == 0 {
		return nil
	}
	slices.Sort(connects)
	row("start to connected, median of %d (worst)", fmt.Sprintf("%s (%s)", ms(connects[len(connects)/2]), ms(connects[len(connects)-1])), o.starts)
	return nil
}

// measureRest reads a connected bot's memory, and how long it takes for a feedback when there is little to do.
func measureRest(ctx context.Context, o options, p *peers, b *process) error {
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
	return nil
}

func row(what, figure string, args ...any) {
	fmt.Printf("| %s | %s |\n", fmt.Sprintf(what, args...), figure)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond)) }

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
