// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const mayBeARepeat = "Возможно, повтор"

// longText makes a post of five parts.
var longText = strings.Repeat("word ", 3600)

// wantParts checks that the group has the parts of one long post, in their order, each in answer to the first; those that
// marked names (by their places, beginning with 0) say that they may be repeats.
func (w *world) wantParts(n int, marked ...int) {
	w.t.Helper()
	messages := w.Messages(group)
	if len(messages) != n {
		w.t.Fatalf("%d messages, want %d\n%s", len(messages), n, w.logs)
	}
	isMarked := map[int]bool{}
	for _, i := range marked {
		isMarked[i] = true
	}
	for i, m := range messages {
		if strings.Contains(m.Text, mayBeARepeat) != isMarked[i] {
			w.t.Errorf("message %d, want marked %v: %.150s", i, isMarked[i], m.Text)
		}
		if i > 0 && m.ReplyTo != messages[0].ID {
			w.t.Errorf("message %d answers %d, want the first", i, m.ReplyTo)
		}
	}
	if r := w.results()["ticket_site_1"]; r.MessageID != int64(messages[0].ID) {
		w.t.Errorf("the result is %+v", r)
	}
}

func TestAPartOfALongPostThatMayBeARepeatSaysSo(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		settle(time.Second)
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultResetAfter, Methods: []string{"sendMessage"}, Skip: 1, Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.admit(longText)
		settle(10 * time.Second)
		w.wantParts(6, 2)
		if second, again := w.Messages(group)[1].Text, w.Messages(group)[2].Text; !strings.HasSuffix(again, second) {
			t.Errorf("the part is %.150s, its repeat %.150s", second, again)
		}
	})
}

// A long post that the limit spreads over minutes is not posted twice because the bot was restarted.
func TestALongPostGoesOnAfterARestart(t *testing.T) {
	slowly := func(w *world) { w.cfg.Limits.PerChat = Limit{2, time.Minute} }
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		slowly(w)
		w.start()
		w.admit(longText)
		settle(10 * time.Second)
		if n := len(w.Messages(group)); n != 2 {
			t.Fatalf("%d parts in the first minute, want 2", n)
		}
		w.cfg.Language = "en" // what was begun in Russian goes on in it
		w.restart()
		settle(5 * time.Minute)
		w.wantParts(5)
		for _, m := range w.Messages(group)[1:] {
			if !strings.Contains(m.Text, "часть") {
				t.Errorf("a part in another language: %.80s", m.Text)
			}
		}
	})
}

// Killed while it went on, the bot does not know how much further it got.
func TestALongPostThatWasInterruptedTwice(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.cfg.Limits.PerChat = Limit{2, time.Minute}
		w.start()
		w.admit(longText)
		settle(10 * time.Second)
		w.halt()
		if _, err := w.store.Advance(t.Context(), group, nil, true); err != nil { // a bot that was killed
			t.Fatal(err)
		}
		w.start()
		settle(5 * time.Minute)
		w.wantParts(5, 2, 3, 4)
	})
}

// Where the group becomes a supergroup in the middle of a long post, the number of the first part is another message's there.
func TestALongPostThatTheGroupsMoveParts(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultInternal, Methods: []string{"getUpdates"}}); err != nil {
			t.Fatal(err)
		}
		w.cfg.Limits.PerChat = Limit{2, time.Minute}
		talk := func(chatID int64) {
			for range 5 {
				if _, err := w.Say(chatID, "Anything new?", support); err != nil {
					t.Fatal(err)
				}
			}
		}
		talk(group)
		w.start()
		w.admit(longText)
		settle(10 * time.Second)
		if err := w.Migrate(group, supergroup); err != nil {
			t.Fatal(err)
		}
		talk(supergroup)
		settle(5 * time.Minute)
		var parts []sim.Message
		for _, m := range w.Messages(supergroup) {
			if m.Service == "" && m.From.ID != support.ID {
				parts = append(parts, m)
			}
		}
		if len(parts) != 3 || !strings.Contains(parts[0].Text, "часть 3 из 5") || parts[0].ReplyTo != 0 {
			t.Errorf("the supergroup has %v\n%s", parts, w.logs)
		}
		w.wantAllAnswered(1)
	})
}

// What a post may have left in the group goes along when that becomes a supergroup.
func TestARepeatInTheSupergroupSaysSo(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		deaf := sim.Fault{Kind: sim.FaultInternal, Methods: []string{"getUpdates"}} // or the group's last message would tell of it
		if err := w.SetFaults(deaf); err != nil {
			t.Fatal(err)
		}
		w.start()
		settle(time.Second)
		if err := w.SetFaults(deaf, sim.Fault{Kind: sim.FaultResetAfter, Methods: []string{"sendMessage"}, Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.admit("once or twice")
		settle(100 * time.Millisecond)
		if err := w.Migrate(group, supergroup); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		if got := w.Messages(supergroup); len(got) != 1 || !strings.Contains(got[0].Text, mayBeARepeat) {
			t.Errorf("the supergroup has %v\n%s", got, w.logs)
		}
	})
}
