// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is all that was measured.
type report struct {
	o     options
	start start
	// quiet is from the operator's start until the last write, without the bare client's turns.
	quiet      time.Duration
	startCalls map[call]int
	// botsUp is how long it took to start the simulated bots, ready from then to the last write.
	botsUp, ready time.Duration
	readyCalls    map[call]int
	// empty, waiting and running are without a bridge, before the bots start, and after the settled time.
	empty, waiting, running memory
	settledWrites           int
	settledCalls            map[call]int
	// settledCPU is in CPUs.
	settledCPU    float64
	scrapes       []time.Duration
	scrapeSize    int
	changes       []time.Duration
	restart       time.Duration
	restartWrites int
	restartCalls  map[call]int
}

func newReport(o options) *report { return &report{o: o} }

// print writes the table of docs/performance.md, and below it what the operator's requests were.
func (r *report) print(out io.Writer) error {
	all := r.start.total()
	byRatio := slices.SortedFunc(slices.Values(r.start.turns), func(a, b turn) int { return cmp.Compare(a.ratio(), b.ratio()) })
	n := float64(r.o.bridges)
	slices.Sort(r.scrapes)
	rows := [][2]string{
		{fmt.Sprintf("the bare client's writes, in %d turns with the operator's", len(byRatio)), seconds(all.floor)},
		{"operator's start to all children; single turns", fmt.Sprintf("%s (%.2f x); %.2f to %.2f x",
			seconds(all.operator), all.ratio(), byRatio[0].ratio(), byRatio[len(byRatio)-1].ratio())},
		{"the API server's CPU for the bare client, for the operator; the operator's own",
			seconds(r.start.floorServer) + ", " + seconds(r.start.operatorServer) + "; " + seconds(r.start.operator)},
		{"operator's start to the last write, bots not running", seconds(r.quiet)},
		{fmt.Sprintf("last of the bots reports (they took %s to start) to all Ready", seconds(r.botsUp)), seconds(r.ready)},
		{"writes while settled for " + short(r.o.settled), fmt.Sprint(r.settledWrites)},
		{"CPU while settled, with heartbeats", fmt.Sprintf("%.1f %% of one", 100*r.settledCPU)},
		{"heap a bridge, bots running", fmt.Sprintf("%.1f KiB", (r.running.heap-r.empty.heap)/n/1024)},
		{"heap a bridge, bots not running", fmt.Sprintf("%.1f KiB", (r.waiting.heap-r.empty.heap)/n/1024)},
		{"live heap without a bridge, with all", mib(r.empty.heap) + ", " + mib(r.running.heap)},
		{"RSS without a bridge, with all", mib(r.empty.rss) + ", " + mib(r.running.rss)},
		{"restart to all bridges looked at", fmt.Sprintf("%s, %d writes", seconds(r.restart), r.restartWrites)},
		{fmt.Sprintf("a Secret's change to the bot's Secret, %d changes: p50, p99", len(r.changes)),
			ms(percentile(r.changes, 50)) + ", " + ms(percentile(r.changes, 99))},
		{"scrape of the metrics, median of " + fmt.Sprint(len(r.scrapes)), fmt.Sprintf("%s, %s", ms(percentile(r.scrapes, 50)), mib(float64(r.scrapeSize)))},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s, %d CPUs, %s; %d bridges in %d namespaces, %d other Secrets, %d in flight\n\n| what | figure |\n|---|---|\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), r.o.bridges, r.o.namespaces, r.o.others, r.o.inFlight)
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	b.WriteByte('\n')
	isRead := func(c call) bool { return !c.isWrite() }
	for _, phase := range []struct {
		name  string
		calls map[call]int
	}{{"start", r.startCalls}, {"bots' start", r.readyCalls}, {"settled", r.settledCalls}, {"restart", r.restartCalls}} {
		fmt.Fprintf(&b, "%s: writes: %s; reads: %s\n", phase.name, describe(phase.calls, call.isWrite), describe(phase.calls, isRead))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func ms(d time.Duration) string { return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond)) }

func mib(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

func short(d time.Duration) string { return strings.TrimSuffix(d.String(), "m0s") }
