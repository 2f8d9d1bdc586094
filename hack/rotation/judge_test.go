// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
)

// longestOutage is what no reconnect may come near: the back-off after refused credentials is 30 s at least.
const longestOutage = 15 * time.Second

// tally is what went wrong.
type tally struct {
	restarts atomic.Int64
	mu       sync.Mutex
	failures []string
}

func (t *tally) fail(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

func (t *tally) failed() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string{}, t.failures...)
}

// settle ends the traffic and waits until everything was answered.
func (w *world) settle(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	w.eachBridge(func(b *bridge) {
		b.stopTraffic()
		if err := b.site.server.WaitResults(ctx, b.sent); err != nil {
			w.done.fail("%s: %d of %d tickets were answered: %v", b, b.site.server.Stats().Answered, b.sent, err)
		}
	})
}

// figures are what is printed.
type figures struct {
	hmac, jwt, superseded, tickets, frames, refusedFrames, refusedDials, fallbacks, outdated, outages int64
	away, longest, tokenLeft                                                                          time.Duration
}

func (f *figures) add(g figures) {
	f.hmac, f.jwt, f.superseded = f.hmac+g.hmac, f.jwt+g.jwt, f.superseded+g.superseded
	f.tickets, f.frames, f.refusedFrames = f.tickets+g.tickets, f.frames+g.frames, f.refusedFrames+g.refusedFrames
	f.refusedDials, f.fallbacks, f.outdated = f.refusedDials+g.refusedDials, f.fallbacks+g.fallbacks, f.outdated+g.outdated
	f.outages, f.away, f.longest = f.outages+g.outages, f.away+g.away, max(f.longest, g.longest)
	if f.tokenLeft == 0 || g.tokenLeft < f.tokenLeft {
		f.tokenLeft = g.tokenLeft
	}
}

// judge checks what is claimed, and prints the figures.
func (w *world) judge(t *testing.T, took time.Duration) {
	t.Helper()
	rows := map[character]figures{}
	var all figures
	findings := make([]figures, len(w.bridges))
	for i, b := range w.bridges {
		findings[i] = b.judge(t)
	}
	w.end()
	for i, b := range w.bridges {
		f := findings[i]
		if f.tokenLeft = b.kubelet.tokenLeft; f.tokenLeft < 0 {
			t.Errorf("%s: the bot had a token that had expired %v before", b, -f.tokenLeft)
		}
		row := rows[b.character]
		row.add(f)
		rows[b.character] = row
		all.add(f)
		if err := b.kubelet.end(); err != nil {
			w.done.restarts.Add(1)
			t.Errorf("%s: %v", b, err)
		}
		if lines := b.kubelet.lines("reason=CredentialsRefused"); len(lines) > 0 {
			t.Errorf("%s: the bot had no token that the site accepts, %d times: %s", b, len(lines), lines[0])
		}
	}
	for _, failure := range w.done.failed() {
		t.Error(failure)
	}
	w.print(rows, all, took)
	if t.Failed() {
		w.keepLogs(t)
	}
}

func (w *world) print(rows map[character]figures, all figures, took time.Duration) {
	fmt.Printf("\n%d rotations of %d bridges in %v under traffic; seed %d; bot restarts: %d\n\n",
		all.hmac+all.jwt, len(w.bridges), took.Round(time.Second), w.seed, w.done.restarts.Load())
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "site\tkeys\tHMAC\tJWT\tsuperseded\ttickets\tframes\tframes refused\tdials refused\tfallbacks\tresults by the key before\taway\tlongest\ttoken left")
	row := func(site, keys any, f figures) {
		_, _ = fmt.Fprintf(out, "%v\t%v\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v in %d\t%v\t%v\n", site, keys, f.hmac, f.jwt, f.superseded, f.tickets,
			f.frames, f.refusedFrames, f.refusedDials, f.fallbacks, f.outdated, f.away.Round(time.Millisecond), f.outages, f.longest.Round(time.Millisecond), f.tokenLeft.Round(time.Second))
	}
	for _, c := range crew(1) {
		if f, ok := rows[c]; ok {
			row(c.kind, c.keys, f)
			delete(rows, c)
		}
	}
	row("all", "", all)
	_ = out.Flush()
}

// judge checks one bridge.
func (b *bridge) judge(t *testing.T) figures {
	t.Helper()
	stats := b.site.server.Stats()
	f := figures{
		hmac: b.rotated.hmac.Load(), jwt: b.rotated.jwt.Load(), superseded: b.rotated.superseded.Load(), tickets: b.sent,
		frames: stats.Frames, refusedDials: stats.Refused, outdated: stats.Outdated,
		fallbacks: int64(len(b.kubelet.lines("trying the previous one"))),
	}
	b.site.mu.Lock()
	for _, outage := range b.site.outages {
		f.outages, f.away, f.longest = f.outages+1, f.away+outage, max(f.longest, outage)
	}
	b.site.mu.Unlock()
	wrong := func(format string, args ...any) { t.Errorf("%s: %s", b, fmt.Sprintf(format, args...)) }
	if stats.OK != b.sent || stats.Failed+stats.Malformed+stats.Unknown+stats.Missigned > 0 {
		wrong("%d tickets; the site: %+v", b.sent, stats)
	}
	if f.longest > longestOutage {
		wrong("the bot was away for %v", f.longest)
	}
	b.judgePosts(wrong)
	answer, err := health.Ask(t.Context(), b.kubelet.state())
	if err != nil {
		wrong("the bot does not answer: %v", err)
		return f
	}
	for reason, count := range answer.Report.FramesRefused {
		f.refusedFrames += count
		wrong("%d frames of the site's were refused: %s", count, reason)
	}
	if n := answer.Report.Tickets; n.Posted != b.sent || n.Pending != 0 || n.Failed != 0 {
		wrong("the bot's count of %d tickets: %+v", b.sent, n)
	}
	return f
}

// judgePosts checks that every ticket is one message, and that its result names it. A site that holds all keys may get a
// result by a key that has retired only where the ticket had waited so long that it was sent again.
func (b *bridge) judgePosts(wrong func(string, ...any)) {
	posts := map[int64]bool{}
	for _, m := range b.telegram.Messages(staffChat) {
		posts[int64(m.ID)] = true
	}
	if int64(len(posts)) != b.sent {
		wrong("%d posts of %d tickets", len(posts), b.sent)
	}
	for _, sent := range b.site.server.All(0, 0) {
		if sent.Refused != "" && b.kind != swaps && sent.Frames == 1 {
			wrong("a result of ticket %s: %s", sent.ID, sent.Refused)
		}
		if sent.Result == nil || !posts[sent.Result.MessageID] {
			wrong("ticket %s has no post of its own: %+v", sent.ID, sent)
			return
		}
		delete(posts, sent.Result.MessageID)
	}
}

// achievements is a bridge's progress, for a test that does not come to an end.
func (b *bridge) achievements() string {
	return fmt.Sprintf("%d HMAC, %d JWT, %d superseded, overdue %v, %d connections ended", b.rotated.hmac.Load(), b.rotated.jwt.Load(),
		b.rotated.superseded.Load(), b.rotated.overdue.Load(), b.rotated.ends.Load())
}

// keepLogs shows the ends of the bots' logs.
func (w *world) keepLogs(t *testing.T) {
	t.Helper()
	for _, b := range w.bridges {
		lines := b.kubelet.lines("")
		t.Logf("%s: the end of the bot's log:\n%v", b, lines[max(0, len(lines)-15):])
	}
}
