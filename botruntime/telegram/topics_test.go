// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// admitIn admits tickets of a category.
func (w *world) admitIn(category string, messages ...string) {
	w.t.Helper()
	for _, m := range messages {
		w.seq++
		id := fmt.Sprint("request-", w.seq)
		_, err := w.store.Admit(context.Background(), []store.Request{{ID: id, Nonce: id, Signature: wire.Signature{KeyID: "key"},
			ReadAt: time.Now(), NonceUntil: time.Now().Add(time.Minute), Ticket: ticket.Ticket{Source: ticket.SourceSite,
				FeedbackID: w.seq, Category: category, Nickname: "Nick", Message: m}}})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// Whatever a visitor makes up as a category, the key of its topic is short and clean.
func TestTopicKeysAreShortAndClean(t *testing.T) {
	c := Config{Topics: TopicsPerCategory}
	for category, want := range map[string]string{"bug": "category:bug", "idea of ours": "category:idea of ours", "": "category:other", "\x00": "category:other"} {
		if got := c.TopicKey(ticket.Ticket{Category: category}); got != want {
			t.Errorf("category %q goes to topic %q, want %q", category, got, want)
		}
	}
	for _, category := range []string{"a\x00b", strings.Repeat("x", 10000), "a\xffb"} {
		got := c.TopicKey(ticket.Ticket{Category: category})
		if len(got) > 4*maxTopicName || strings.ContainsRune(got, 0) || !utf8.ValidString(got) {
			t.Errorf("category %.20q goes to topic %.80q", category, got)
		}
	}
}

// forumWorld is a world whose group has topics.
func forumWorld(t *testing.T, topics string, c sim.Chat, test func(t *testing.T, w *world)) {
	t.Helper()
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		c.ID, c.Title, c.Forum = group, "Feedback group", true
		if err := w.AddChat(c); err != nil {
			t.Fatal(err)
		}
		w.cfg.Topics = topics
		w.restart()
		settle(time.Second)
		test(t, w)
	})
}

func (w *world) topicNames() (names []string) {
	for _, t := range w.Topics(group) {
		names = append(names, t.Name)
	}
	return names
}

// topicOf is the name of the topic that a text was posted in, "" for none; the last one where it is there more than once.
func (w *world) topicOf(part string) string {
	w.t.Helper()
	for _, m := range slices.Backward(w.Messages(group)) {
		if m.Service != "" || !strings.Contains(m.Text, part) {
			continue
		}
		for _, t := range w.Topics(group) {
			if t.ThreadID == m.ThreadID {
				return t.Name
			}
		}
		return ""
	}
	w.t.Fatalf("%q was not posted\n%s", part, w.logs)
	return ""
}

func TestTopicsByCategory(t *testing.T) {
	forumWorld(t, TopicsPerCategory, sim.Chat{}, func(t *testing.T, w *world) {
		w.admitIn("bug", "one", "two")
		w.admitIn("idea", "three")
		settle(time.Second)
		if got, want := w.topicNames(), []string{"🐛 Баг / ошибка", "💬 idea"}; !slices.Equal(got, want) {
			t.Errorf("topics %q, want %q", got, want)
		}
		if w.topicOf("two") != "🐛 Баг / ошибка" || w.topicOf("three") != "💬 idea" {
			t.Errorf("posted in %q and %q", w.topicOf("two"), w.topicOf("three"))
		}
		w.restart()
		w.admitIn("bug", "four")
		settle(time.Second)
		if n := len(w.Topics(group)); n != 2 {
			t.Errorf("%d topics after a restart, want the same two", n)
		}
	})
}

func TestATopicThatWasDeletedIsMadeAgain(t *testing.T) {
	forumWorld(t, TopicsPerCategory, sim.Chat{}, func(t *testing.T, w *world) {
		w.admitIn("bug", "one")
		settle(time.Second)
		if err := w.DeleteTopic(group, w.Topics(group)[0].ThreadID); err != nil {
			t.Fatal(err)
		}
		w.admitIn("bug", "two", "three")
		settle(time.Second)
		if n := len(w.Topics(group)); n != 1 || w.topicOf("two") == "" || w.topicOf("three") == "" {
			t.Errorf("%d topics; posted in %q and %q", n, w.topicOf("two"), w.topicOf("three"))
		}
		w.wantAllAnswered(3)
	})
}

// What may have been posted before a kill is posted once more, but not in one topic more each time that it is interrupted.
func TestARepeatMakesNoMoreTopicsThanItNeeds(t *testing.T) {
	forumWorld(t, TopicsPerTicket, sim.Chat{}, func(t *testing.T, w *world) {
		w.halt()
		w.admitIn("bug", "one")
		if _, err := w.store.Advance(t.Context(), group, nil, true); err != nil { // a bot that was killed
			t.Fatal(err)
		}
		for _, faults := range [][]sim.Fault{{{Kind: sim.FaultInternal, Methods: []string{"sendMessage"}}}, nil} {
			if err := w.SetFaults(faults...); err != nil {
				t.Fatal(err)
			}
			w.restart()
			settle(time.Minute)
		}
		if got, want := w.topicNames(), []string{"ticket_site_1 · Nick"}; !slices.Equal(got, want) || w.topicOf("one") != want[0] {
			t.Errorf("topics %q, want %q; posted in %q", got, want, w.topicOf("one"))
		}
		if posts := w.Messages(group); !strings.Contains(posts[len(posts)-1].Text, mayBeARepeat) {
			t.Errorf("the repeat does not say that it may be one: %.150s", posts[len(posts)-1].Text)
		}
		w.wantAllAnswered(1)
	})
}

// wantAllAnswered checks that so many tickets have a good result.
func (w *world) wantAllAnswered(n int) {
	w.t.Helper()
	results := w.results()
	for name, r := range results {
		if r.MessageID == 0 || r.Failure != "" {
			w.t.Errorf("%s: %+v", name, r)
		}
	}
	if len(results) != n {
		w.t.Errorf("%d results, want %d\n%s", len(results), n, w.logs)
	}
}

func TestATicketsOwnTopicIsClosedWithIt(t *testing.T) {
	forumWorld(t, TopicsPerTicket, sim.Chat{}, func(t *testing.T, w *world) {
		w.admitIn("bug", "one")
		settle(time.Second)
		if got, want := w.topicNames(), []string{"ticket_site_1 · Nick"}; !slices.Equal(got, want) {
			t.Errorf("topics %q, want %q", got, want)
		}
		for _, tc := range []struct {
			status ticket.Status
			closed bool
		}{{ticket.StatusRead, false}, {ticket.StatusClosed, true}, {ticket.StatusClosed, true}, {ticket.StatusInProgress, false}} {
			w.follows(func(tx store.Tx) error {
				return tx.SetStatus(store.StatusChange{TicketID: "ticket_site_1", Status: tc.status, ActorID: 1, ActorName: "x", At: time.Now()})
			})
			settle(time.Second)
			if got := w.Topics(group)[0].Closed; got != tc.closed {
				t.Errorf("after %s: closed is %v", tc.status, got)
			}
		}
		w.sends(store.Outgoing{ChatID: group, Ticket: "ticket_site_1", Payload: text("a note")})
		settle(time.Second)
		if w.topicOf("a note") != "ticket_site_1 · Nick" {
			t.Errorf("the note is in %q", w.topicOf("a note"))
		}
	})
}

func TestWithoutTheRightTicketsGoToTheGeneralTopic(t *testing.T) {
	forumWorld(t, TopicsPerCategory, sim.Chat{NoTopicRight: true}, func(t *testing.T, w *world) {
		w.admitIn("bug", counted(5)...)
		settle(time.Second)
		w.wantAllAnswered(5)
		if state, message := w.health.now(); state != "true NoRights" || !strings.Contains(message, "can_manage_topics") {
			t.Errorf("health is %s: %s", state, message)
		}
		if n := w.Stats().Methods["createforumtopic"]; n > 1 {
			t.Errorf("tried %d times to make a topic", n)
		}
		if err := w.AddChat(sim.Chat{ID: group, Title: "Feedback group", Forum: true}); err != nil {
			t.Fatal(err)
		}
		settle(lookAgain + time.Second)
		w.admitIn("bug", "at last")
		settle(time.Second)
		if w.topicOf("at last") == "" {
			t.Error("with the right there is no topic yet")
		}
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s", state)
		}
	})
}

// Whatever Telegram has against a topic, tickets are posted, and the chat waits for nothing.
func TestATopicThatIsRefusedHoldsNothingUp(t *testing.T) {
	forumWorld(t, TopicsPerTicket, sim.Chat{}, func(t *testing.T, w *world) {
		w.admitIn("bug", "in a topic of its own")
		settle(time.Second)
		for method, words := range map[string]string{"createForumTopic": "TOPICS_TOO_MUCH", "closeForumTopic": "not enough rights to close or open the topic"} {
			if err := w.SetFaults(sim.Fault{Kind: sim.FaultRefused, Methods: []string{method}, Description: words}); err != nil {
				t.Fatal(err)
			}
			w.follows(func(tx store.Tx) error {
				return tx.SetStatus(store.StatusChange{TicketID: "ticket_site_1", Status: ticket.StatusClosed, At: time.Now()})
			})
			w.admitIn("bug", "while "+method+" is refused")
			settle(2 * time.Second)
			if state, _ := w.health.now(); !strings.HasPrefix(state, "true") {
				t.Errorf("while %s is refused, health is %s", method, state)
			}
		}
		w.wantAllAnswered(3)
	})
}

// Visitors may write anything where the site does not check: that makes no end of topics, and takes none from what is known.
func TestMadeUpCategoriesMakeNoEndOfTopics(t *testing.T) {
	forumWorld(t, TopicsPerCategory, sim.Chat{}, func(t *testing.T, w *world) {
		for i := range maxTopics + 6 {
			w.admitIn(fmt.Sprint("idea ", i), fmt.Sprintf("Idea %d.", i))
		}
		w.admitIn("bug", "A bug.")
		w.admitIn("idea 3", "Again.")
		settle(5 * time.Second)
		if n := len(w.Topics(group)); n != maxTopics+1 {
			t.Errorf("%d topics", n)
		}
		for text, want := range map[string]string{fmt.Sprintf("Idea %d.", maxTopics-1): fmt.Sprintf("💬 idea %d", maxTopics-1),
			fmt.Sprintf("Idea %d.", maxTopics): "", "A bug.": "🐛 Баг / ошибка", "Again.": "💬 idea 3"} {
			if got := w.topicOf(text); got != want {
				t.Errorf("%q is in topic %q, want %q", text, got, want)
			}
		}
		w.wantAllAnswered(maxTopics + 8)
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s", state)
		}
	})
}

func TestARoutesTopicThatIsGone(t *testing.T) {
	forumWorld(t, TopicsNone, sim.Chat{}, func(t *testing.T, w *world) {
		w.cfg.Routes = []Route{{Category: "bug", ChatID: group, ThreadID: 777}}
		w.restart()
		w.admitIn("bug", "one")
		settle(time.Second)
		if w.topicOf("one") != "" {
			t.Errorf("posted in %q", w.topicOf("one"))
		}
		w.wantAllAnswered(1)
	})
}
