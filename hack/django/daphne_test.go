// SPDX-License-Identifier: Apache-2.0

package django

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	siteclient "github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
)

// logged counts the lines of daphne's log with a text.
func (w *world) logged(text string) int {
	w.t.Helper()
	log, err := os.ReadFile(w.site.Log())
	must(w.t, err)
	return strings.Count(string(log), text)
}

// daphne lets no WebSocket live for more than a day. Of a day that lasts three seconds nobody notices more than that.
func TestDaphnesCap(t *testing.T) {
	w := newWorld(t, plan{kind: Portal, flags: []string{"--websocket_timeout", "3"}})
	w.connected()
	const count = 80
	b := w.begin(1, count, "--rate", "8", "--plain")
	outcomes := b.finish(t, count, patience)
	w.until("everything is posted", func() bool { return w.lacks(outcomes) == 0 })
	judge(t, outcomes, w.ledger(patience), w.telegram.Messages(group), 0)
	r, _ := w.report()
	if r.Reconnects < 2 {
		t.Errorf("%d reconnects in ten seconds of three-second days", r.Reconnects)
	}
	log, err := os.ReadFile(w.bot.Log())
	must(t, err)
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "level=ERROR") {
			t.Errorf("a routine reconnect is no error: %s", line)
		}
	}
}

// daphne pings after 20 s of silence, and waits for the pong for 30 s: here for 1 s and 2 s. A quiet bot stays; one that has gone without a word
// is found out by daphne, and a site that has gone by the bot.
func TestDaphnesPings(t *testing.T) {
	for name, p := range sites {
		t.Run(name, func(t *testing.T) {
			p.flags = []string{"--ping-interval", "1", "--ping-timeout", "2"}
			p.ping = 5 * time.Minute // of the bot's own pings, none comes to help
			w := newWorld(t, p)
			w.connected()
			quiet := time.Now()
			w.until("seven quiet seconds", func() bool { return time.Since(quiet) > 7*time.Second })
			if n := w.logged("WSDISCONNECT"); n > 0 {
				t.Fatalf("daphne dropped a bot that is there\n%s", process.Tail(w.site.Log()))
			}
			w.proxy.Freeze()
			w.until("daphne finds out that the bot is gone", func() bool { return w.logged("WSDISCONNECT") > 0 })
		})
	}
	w := newWorld(t, plan{kind: Brief, ping: time.Second})
	w.connected()
	w.proxy.Freeze()
	w.until("the bot finds out that the site is gone", func() bool {
		r, ok := w.report()
		return ok && !r.Site.OK
	})
	w.proxy.Heal()
	w.until("the bot connects again", w.isConnected)
}

// A frame of more than 1 MiB is dropped and counted. The next one comes through.
func TestOneMebibyte(t *testing.T) {
	w := newWorld(t, plan{kind: Brief})
	w.connected()
	w.give(map[string]any{"category": "bug", "message": "Too much " + strings.Repeat("x", 1<<20)})
	w.until("the frame is counted", func() bool {
		r, ok := w.report()
		return ok && r.FramesRefused[siteclient.RefusedTooLarge] == 1
	})
	w.until("the bot is connected", w.isConnected)
	id := w.give(map[string]any{"category": "bug", "message": "Just enough " + strings.Repeat("x", 1000)})
	w.until("telegram_sent is set", func() bool { return w.sent(id) })
	if n := len(w.posts("Too much")); n > 0 {
		t.Error("it was posted")
	}
	w.post(fmt.Sprintf("ticket_site_%d", id))
}
