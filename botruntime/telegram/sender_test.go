// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const supergroup = int64(-1009999999999)

// follows commits what would follow from an update.
func (w *world) follows(effects func(tx store.Tx) error) {
	w.t.Helper()
	w.seq++
	id := 1_000_000 + w.seq
	if err := w.store.SaveUpdates(context.Background(), []store.Update{{ID: id, Payload: []byte(`{}`)}}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Handle(context.Background(), id, effects); err != nil {
		w.t.Fatal(err)
	}
}

// sends puts messages into the outbox.
func (w *world) sends(messages ...store.Outgoing) {
	w.t.Helper()
	w.follows(func(tx store.Tx) error {
		for _, m := range messages {
			if err := tx.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// text is a message's payload.
func text(s string) []byte {
	data, err := json.Marshal(payload{Text: s})
	if err != nil {
		panic(err)
	}
	return data
}

func TestRoutes(t *testing.T) {
	const bugs = int64(-1005555555555)
	inBubble(t, sim.RealLimits(), func(t *testing.T, w *world) {
		if err := w.AddChat(sim.Chat{ID: bugs, Title: "Bugs", Forum: true}); err != nil {
			t.Fatal(err)
		}
		thread, err := w.AddTopic(bugs, "From the site")
		if err != nil {
			t.Fatal(err)
		}
		w.cfg.Limits = Limits{PerChat: Limit{20, time.Minute}, Overall: Limit{30, time.Second}}
		w.cfg.Routes = []Route{{Category: "bug", ChatID: bugs, ThreadID: int64(thread)}}
		w.restart()
		w.admitIn("bug", counted(30)...)
		w.admitIn("wish", counted(30)...)
		settle(2 * time.Minute)
		w.wantAllAnswered(60)
		for _, m := range w.Messages(bugs) {
			if m.Service == "" && m.ThreadID != thread {
				t.Errorf("posted in topic %d: %s", m.ThreadID, m.Text)
			}
		}
		if n := len(w.Messages(group)); n != 30 {
			t.Errorf("%d messages in the other chat", n)
		}
		if n := w.Stats().TooManyRequests; n != 0 {
			t.Errorf("%d requests were too many", n)
		}
		// What is wrong with the one chat is said, and does not hold up the other.
		if err := w.AddChat(sim.Chat{ID: bugs, BotStatus: sim.Kicked}); err != nil {
			t.Fatal(err)
		}
		w.admitIn("bug", "waits")
		w.admitIn("wish", "goes on")
		settle(10 * time.Second)
		if state, message := w.health.now(); state != "false NoRights" || !strings.Contains(message, fmt.Sprint(bugs)) {
			t.Errorf("health is %s: %s", state, message)
		}
		if n := len(w.Messages(group)); n != 31 {
			t.Errorf("%d messages in the other chat", n)
		}
		if err := w.AddChat(sim.Chat{ID: bugs, Title: "Bugs", Forum: true}); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Minute)
		w.wantAllAnswered(62)
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s", state)
		}
	})
}

func TestAGroupThatBecameASupergroupIsFollowed(t *testing.T) {
	tests := map[string]struct {
		deaf   bool          // nobody reads updates
		before time.Duration // the next post
	}{
		"by the group's last message": {false, time.Second},
		"by a post":                   {true, 0},
		"by a look at the chat":       {true, lookAgain + time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
				if tc.deaf {
					if err := w.SetFaults(sim.Fault{Kind: sim.FaultInternal, Methods: []string{"getUpdates"}}); err != nil {
						t.Fatal(err)
					}
				}
				w.start()
				w.admit("before")
				settle(time.Second)
				if err := w.Migrate(group, supergroup); err != nil {
					t.Fatal(err)
				}
				settle(tc.before)
				if followed := w.store.EffectiveChat(group) == supergroup; followed != (tc.before > 0) {
					t.Errorf("after %v followed is %v", tc.before, followed)
				}
				w.admit(counted(3)...)
				settle(time.Second)
				if n := len(w.Messages(supergroup)); n != 3 {
					t.Errorf("%d messages in the supergroup\n%s", n, w.logs)
				}
				w.restart()
				w.admit("after a restart")
				settle(time.Second)
				if n := len(w.Messages(supergroup)); n != 4 {
					t.Errorf("%d messages in the supergroup after a restart\n%s", n, w.logs)
				}
				w.wantAllAnswered(5)
				if state, _ := w.health.now(); state != "true Reachable" && !tc.deaf {
					t.Errorf("health is %s", state)
				}
				if _, err := w.bot.SendTest(t.Context(), "hello"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestCopies(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		photo, err := w.Write(sim.Incoming{ChatID: support.ID, By: support, Text: "see", Media: &sim.Media{Kind: sim.Photo}})
		if err != nil {
			t.Fatal(err)
		}
		w.admit("text")
		settle(time.Second)
		post := w.Messages(group)[0].ID
		w.sends(
			store.Outgoing{ChatID: group, Copy: true, FromChatID: support.ID, FromMessageID: int64(photo), ReplyTo: int64(post), Ticket: "ticket_site_1"},
			store.Outgoing{ChatID: group, Copy: true, FromChatID: support.ID, FromMessageID: int64(photo), Payload: text("said otherwise")},
			store.Outgoing{ChatID: group, Copy: true, FromChatID: support.ID, FromMessageID: 999},
			store.Outgoing{ChatID: group, Copy: true, FromChatID: 4242, FromMessageID: 1},
			store.Outgoing{ChatID: group, ReplyTo: 999, Payload: text("the last")}, // which is the bot's own: it goes before what people send
		)
		settle(10 * time.Second)
		var got []string
		for _, m := range w.Messages(group)[1:] {
			got = append(got, fmt.Sprintf("%s media=%v reply=%v", m.Text, m.Media != nil, m.ReplyTo == post))
		}
		want := []string{"the last media=false reply=false", "see media=true reply=true", "said otherwise media=true reply=false"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q\n%s", got, want, w.logs)
		}
		w.follows(func(tx store.Tx) error {
			link, err := tx.MessageTicket(group, int64(w.Messages(group)[2].ID))
			if err != nil || link.Ticket != "ticket_site_1" || link.PeerChatID != support.ID || link.PeerMessageID != int64(photo) {
				t.Errorf("the copy is linked to %+v, %v", link, err)
			}
			return nil
		})
	})
}

func TestPeopleWhoDoNotWantTheBot(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		if _, err := w.Say(visitor.ID, "/start", visitor); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if err := w.Block(visitor.ID); err != nil {
			t.Fatal(err)
		}
		before := len(w.Messages(visitor.ID))
		w.sends(store.Outgoing{ChatID: visitor.ID, Payload: text("lost"), IfRefused: []store.Outgoing{{ChatID: group, Payload: text("it was not delivered")}}},
			store.Outgoing{ChatID: support.ID, Payload: text("never met")})
		settle(5 * time.Second)
		if n := len(w.Messages(visitor.ID)); n != before {
			t.Errorf("%d messages reached who blocked the bot", n-before)
		}
		if got := w.Messages(group); len(got) != 1 || got[0].Text != "it was not delivered" {
			t.Errorf("the staff was told %v", got)
		}
		w.follows(func(tx store.Tx) error {
			if p, err := tx.Person(visitor.ID); err != nil || !p.Blocked {
				t.Errorf("the person is %+v, %v", p, err)
			}
			return nil
		})
		// A copy of what is gone says nothing of the person whom it was for.
		emma := sim.User{ID: 3001, FirstName: "Emma", LanguageCode: "en"}
		if _, err := w.Say(emma.ID, "/start", emma); err != nil {
			t.Fatal(err)
		}
		w.sends(store.Outgoing{ChatID: emma.ID, Copy: true, FromChatID: -1004444444444, FromMessageID: 1})
		settle(5 * time.Second)
		w.follows(func(tx store.Tx) error {
			if p, err := tx.Person(emma.ID); err != nil || p.SeenAt.IsZero() || p.Blocked {
				t.Errorf("the person is %+v, %v", p, err)
			}
			return nil
		})
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s: one person's no is nobody else's trouble", state)
		}
	})
}

func TestAMessageThatMayBeARepeatSaysSo(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.sends(store.Outgoing{ChatID: group, Payload: text("once")})
		if _, err := w.store.Advance(t.Context(), group, nil, true); err != nil { // a bot that was killed
			t.Fatal(err)
		}
		w.start()
		settle(time.Second)
		if got := w.Messages(group); len(got) != 1 || !strings.Contains(got[0].Text, "once") || got[0].Text == "once" {
			t.Errorf("messages: %v", got)
		}
	})
}

// The line is in the language of whom the message is for, and copies that have words of the bot's carry it too.
func TestRepeatsInTheReadersLanguage(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		settle(time.Second)
		photo, err := w.Write(sim.Incoming{ChatID: support.ID, By: support, Text: "see", Media: &sim.Media{Kind: sim.Photo}})
		if err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		twice := func(method string, chatID int64) sim.Fault {
			return sim.Fault{Kind: sim.FaultResetAfter, Methods: []string{method}, ChatID: chatID, Times: 1}
		}
		english := sim.User{ID: 3001, FirstName: "Emma", LanguageCode: "en"}
		if err := w.SetFaults(twice("sendMessage", english.ID), twice("copyMessage", group)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Say(english.ID, "/help", english); err != nil {
			t.Fatal(err)
		}
		w.sends(store.Outgoing{ChatID: group, Copy: true, FromChatID: support.ID, FromMessageID: int64(photo), Payload: text("a photo")})
		settle(10 * time.Second)
		for chat, line := range map[int64]string{english.ID: "⚠️ This may be a repeat", group: "⚠️ Возможно, повтор"} {
			m := w.Messages(chat)
			if n := len(m); n < 2 || strings.HasPrefix(m[n-2].Text, line) || !strings.HasPrefix(m[n-1].Text, line) || !strings.HasSuffix(m[n-1].Text, m[n-2].Text) {
				t.Errorf("chat %d has %v\n%s", chat, m, w.logs)
			}
		}
	})
}

// However much people add to theirs, a ticket is posted in its turn.
func TestAdditionsDoNotStarveTickets(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.cfg.Limits.PerChat = Limit{20, time.Minute}
		w.start()
		w.admit("the first")
		settle(time.Second)
		adds := func() {
			for i := range 60 {
				w.sends(store.Outgoing{Ticket: "ticket_site_1", FromChatID: visitor.ID, FromMessageID: int64(i + 1), Payload: text("more")})
			}
		}
		adds()
		w.admit("the second")
		adds()
		settle(4 * time.Minute)
		if len(w.results()) != 2 {
			t.Error("a ticket waits behind additions that came later")
		}
	})
}

// TestTheOverallLimitIsSharedFairly has twenty people wait for answers while the group waits for many posts.
func TestTheOverallLimitIsSharedFairly(t *testing.T) {
	inBubble(t, sim.Limits{Overall: sim.Rate{Messages: 5, Window: time.Second}}, func(t *testing.T, w *world) {
		w.cfg.Limits = Limits{PerChat: Limit{1000, time.Second}, Overall: Limit{5, time.Second}}
		w.admit(counted(200)...)
		w.start()
		settle(5 * time.Second)
		people := make([]sim.User, 20)
		for i := range people {
			people[i] = sim.User{ID: int64(5000 + i), FirstName: "Somebody", LanguageCode: "en"}
			if _, err := w.Say(people[i].ID, "/help", people[i]); err != nil {
				t.Fatal(err)
			}
		}
		settle(12 * time.Second)
		for _, p := range people {
			if n := len(w.Messages(p.ID)); n != 2 {
				t.Errorf("%d has %d messages, want the answer to be there", p.ID, n)
			}
		}
		if n := w.Stats().TooManyRequests; n != 0 {
			t.Errorf("%d requests were too many", n)
		}
	})
}

func TestEditsCountAndCollapse(t *testing.T) {
	inBubble(t, sim.RealLimits().Scaled(0.1), func(t *testing.T, w *world) {
		w.cfg.Limits = Limits{PerChat: Limit{20, 6 * time.Second}, Overall: Limit{30, 100 * time.Millisecond}}
		w.start()
		w.admit(counted(3)...)
		settle(time.Second)
		posts := w.Messages(group)
		for i := range 100 {
			w.follows(func(tx store.Tx) error {
				return tx.Edit(store.Edit{ChatID: group, MessageID: int64(posts[i%3].ID), Payload: text(fmt.Sprint("edit ", i))})
			})
			settle(10 * time.Millisecond)
		}
		w.admit(counted(30)...)
		settle(20 * time.Second)
		for i := range 3 {
			if m, _ := w.Message(group, posts[i].ID); m.Text != fmt.Sprint("edit ", []int{99, 97, 98}[i]) {
				t.Errorf("post %d says %q", i, m.Text)
			}
		}
		if s := w.Stats(); s.TooManyRequests != 0 || s.Edited > 60 {
			t.Errorf("%d requests were too many, %d edits of 100 were made", s.TooManyRequests, s.Edited)
		}
		w.wantAllAnswered(33)
	})
}
