// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// inBubble runs a test in a bubble of time, with a world.
func inBubble(t *testing.T, limits sim.Limits, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, limits)
		defer w.end()
		test(t, w)
	})
}

// settle lets the bot work for a time.
func settle(d time.Duration) {
	time.Sleep(d) // of the bubble's time
	synctest.Wait()
}

func TestPostsATicket(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("1 < 2 & <i>so</i>")
		settle(time.Second)
		messages := w.Messages(group)
		if len(messages) != 1 {
			t.Fatalf("%d messages, want 1\n%s", len(messages), w.logs)
		}
		m := messages[0]
		for _, part := range []string{"ticket_site_1", "Nick <b>", "1 < 2 & <i>so</i>", "#bug #new"} {
			if !strings.Contains(m.Text, part) {
				t.Errorf("%q is missing in the post:\n%s", part, m.Text)
			}
		}
		var labels []string
		for _, row := range m.Buttons {
			for _, b := range row {
				labels = append(labels, b.Text+"="+b.CallbackData)
			}
		}
		want := []string{"Прочитано=status_ticket_site_1_read", "В работе=status_ticket_site_1_in_progress",
			"Ответили=status_ticket_site_1_replied", "Закрыто=status_ticket_site_1_closed"}
		if diff := cmp.Diff(want, labels); diff != "" {
			t.Errorf("buttons (-want +got):\n%s", diff)
		}
		r := w.results()["ticket_site_1"]
		if r.MessageID != int64(m.ID) || !r.SentAt.Equal(m.Date.Truncate(time.Second)) || r.Failure != "" {
			t.Errorf("result %+v does not fit message %d of %s", r, m.ID, m.Date)
		}
		if state, _ := w.health.now(); state != "true Reachable" || w.health.title != "Feedback group" {
			t.Errorf("health is %s, chat %q", state, w.health.title)
		}
	})
}

func TestLongMessagesContinueInReplies(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit(strings.Repeat("😀 & ", 3000))
		settle(time.Second)
		messages := w.Messages(group)
		if len(messages) < 3 {
			t.Fatalf("%d messages, want 3 or more", len(messages))
		}
		for _, m := range messages[1:] {
			if m.ReplyTo != messages[0].ID || m.Buttons != nil {
				t.Errorf("message %d is a reply to %d with buttons %v", m.ID, m.ReplyTo, m.Buttons)
			}
		}
		if got := w.results()["ticket_site_1"].MessageID; got != int64(messages[0].ID) {
			t.Errorf("the result names message %d, want the first", got)
		}
	})
}

func TestBurstAtTelegramsLimits(t *testing.T) {
	inBubble(t, sim.RealLimits(), func(t *testing.T, w *world) {
		w.cfg.Limits = Limits{PerChat: Limit{20, time.Minute}, Overall: Limit{30, time.Second}}
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultDelay, DelayMillis: 150}); err != nil { // as far as Telegram is
			t.Fatal(err)
		}
		const n = 200
		w.admit(counted(n)...)
		begin := time.Now()
		w.start()
		for len(w.Messages(group)) < n {
			settle(100 * time.Millisecond)
			if time.Since(begin) > time.Hour {
				t.Fatalf("%d messages after an hour", len(w.Messages(group)))
			}
		}
		ideal := (n/20 - 1) * time.Minute
		took := time.Since(begin)
		if took > ideal*105/100 {
			t.Errorf("it took %v, ideal is %v", took, ideal)
		}
		t.Logf("%d posts took %v, %.4f of the ideal", n, took, float64(took)/float64(ideal))
		if n := w.Stats().TooManyRequests; n != 0 {
			t.Errorf("%d requests were too many", n)
		}
		for i, m := range w.Messages(group) {
			if want := counted(n)[i]; !strings.Contains(m.Text, want) || strings.Contains(m.Text, "повтор") {
				t.Fatalf("message %d is not %q:\n%s", i, want, m.Text)
			}
		}
	})
}

func TestTelegramsFaults(t *testing.T) {
	const n = 12
	tests := map[string]struct {
		fault   sim.Fault
		within  time.Duration
		repeats bool   // posts may be repeats, which say so
		reports string // is among the states
	}{
		"too many requests": {sim.Fault{Kind: sim.FaultTooManyRequests, Every: 5, RetryAfter: 30}, 5 * time.Minute, false, "true RateLimited"},
		"a long ban":        {sim.Fault{Kind: sim.FaultTooManyRequests, Times: 1, RetryAfter: 300}, 6 * time.Minute, false, "false RateLimited"},
		"server errors":     {sim.Fault{Kind: sim.FaultInternal, Times: 5}, time.Minute, false, "false Unreachable"},
		"bad gateway":       {sim.Fault{Kind: sim.FaultBadGateway, Every: 2, Times: 6}, time.Minute, false, "false Unreachable"},
		"resets":            {sim.Fault{Kind: sim.FaultReset, Every: 3, Times: 4}, time.Minute, false, "false Unreachable"},
		"lost answers":      {sim.Fault{Kind: sim.FaultResetAfter, Every: 4, Times: 3}, time.Minute, true, "false Unreachable"},
		"truncated answers": {sim.Fault{Kind: sim.FaultTruncate, Every: 4, Times: 3}, time.Minute, true, "false Unreachable"},
		"no answer":         {sim.Fault{Kind: sim.FaultHang, Times: 2}, 3 * time.Minute, false, "false Unreachable"},
		"removed and back":  {sim.Fault{Kind: sim.FaultKicked, Times: 8}, 6 * time.Minute, false, "false NoRights"},
		"no such chat":      {sim.Fault{Kind: sim.FaultChatNotFound, Times: 4}, 2 * time.Minute, false, "false ChatNotFound"},
		"token refused":     {sim.Fault{Kind: sim.FaultUnauthorized, Times: 4}, 2 * time.Minute, false, "false TokenRefused"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
				w.start()
				settle(time.Second)
				tc.fault.Methods = []string{"sendMessage"}
				if err := w.SetFaults(tc.fault); err != nil {
					t.Fatal(err)
				}
				w.admit(counted(n)...)
				settle(tc.within)
				w.wantAllPosted(n, tc.repeats)
				states := w.health.states()
				if states[len(states)-1] != "true Reachable" || !slices.Contains(states, tc.reports) {
					t.Errorf("health was %v, want %q among it and all well in the end", states, tc.reports)
				}
			})
		})
	}
}

// wantAllPosted checks that each of n counted messages is posted and answered, in order, and that nothing is there
// twice without saying so.
func (w *world) wantAllPosted(n int, repeats bool) {
	w.t.Helper()
	posted := map[string]int{}
	for _, m := range w.Messages(group) {
		name, _, _ := strings.Cut(strings.TrimPrefix(m.Text, "🆕 Обращение "), "\n")
		posted[name]++
		if posted[name] > 1 && (!repeats || !strings.Contains(m.Text, "Возможно, повтор")) {
			w.t.Errorf("%s was posted again:\n%s", name, m.Text)
		}
	}
	results := w.results()
	for i := range n {
		name := ticket.ID(ticket.SourceSite, int64(i+1))
		if posted[name] == 0 {
			w.t.Errorf("%s was not posted", name)
		}
		if r, ok := results[name]; !ok || r.MessageID == 0 {
			w.t.Errorf("%s has result %+v", name, r)
		}
	}
}

func TestRestartsLoseNothing(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultDelay, DelayMillis: 100, Methods: []string{"sendMessage"}}); err != nil {
			t.Fatal(err)
		}
		w.admit(counted(40)...)
		w.start()
		for range 10 {
			settle(333 * time.Millisecond)
			w.restart()
		}
		settle(10 * time.Second)
		w.wantAllPosted(40, false)
		if got := len(w.Messages(group)); got != 40 {
			t.Errorf("%d messages, want 40: a stop waits for the call that is under way", got)
		}
	})
}

func TestClaimedBeforeIsMarkedAsRepeat(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.admit("once")
		if _, err := w.store.Advance(t.Context(), group, nil, true); err != nil { // a bot that was killed
			t.Fatal(err)
		}
		w.start()
		settle(time.Second)
		messages := w.Messages(group)
		if len(messages) != 1 || !strings.Contains(messages[0].Text, "Возможно, повтор") {
			t.Errorf("messages: %v", messages)
		}
	})
}

func TestTokenIsReloaded(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		settle(time.Second)
		w.SetToken("123456:NEW-TEST-TOKEN")
		w.admit("text")
		settle(10 * time.Minute)
		if state, _ := w.health.now(); state != "false TokenRefused" {
			t.Fatalf("health is %s", state)
		}
		if err := w.bot.SetToken("not a token/../"); err == nil {
			t.Error("what is no token was accepted")
		}
		if err := w.bot.SetToken("123456:NEW-TEST-TOKEN"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		w.wantAllPosted(1, false)
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s", state)
		}
	})
}

func TestASlowChatHoldsUpNoOther(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultHang, ChatID: visitor.ID, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Say(visitor.ID, "/start", visitor); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		w.admit("text")
		settle(time.Second)
		w.wantAllPosted(1, false)
		settle(time.Minute)
		if n := len(w.Messages(visitor.ID)); n != 2 {
			t.Errorf("%d messages in the slow chat, want the command and its answer", n)
		}
	})
}
