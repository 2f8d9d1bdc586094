// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

func TestPress(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("1 < 2")
		settle(time.Second)
		before := w.Messages(group)[0]
		press(t, w, before.ID, ticket.CallbackData("ticket_site_1", ticket.StatusInProgress), "Статус: В работе")
		settle(time.Second)
		after := w.Messages(group)[0]
		date := time.Now().In(w.cfg.Location).Format("02.01.2006 15:04")
		if !strings.HasSuffix(after.Text, "Статус: В работе — @support_desk, "+date+"\n#bug #in_progress") {
			t.Errorf("the post is\n%s", after.Text)
		}
		if !strings.HasPrefix(after.HTML(), "🔧 <b>Обращение ticket_site_1</b>") || !strings.Contains(after.HTML(), "1 &lt; 2") {
			t.Errorf("formatting was lost:\n%s", after.HTML())
		}
		if diff := cmp.Diff(before.Buttons, after.Buttons); diff != "" {
			t.Errorf("the keyboard changed:\n%s", diff)
		}
		press(t, w, before.ID, ticket.CallbackData("ticket_site_1", ticket.StatusClosed), "Статус: Закрыто")
		settle(time.Second)
		closed := w.Messages(group)[0].Text
		if strings.Count(closed, "Статус:") != 1 || !strings.HasSuffix(closed, "#bug #closed") {
			t.Errorf("the post is\n%s", closed)
		}
	})
}

func TestPressOnADeletedPost(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("first")
		settle(time.Second)
		data := ticket.CallbackData("ticket_site_1", ticket.StatusRead)
		id, err := w.Press(group, w.Messages(group)[0].ID, data, support)
		if err != nil || !w.Delete(group, w.Messages(group)[0].ID) {
			t.Fatal(err)
		}
		w.admit("second")
		settle(time.Second)
		if _, answered := w.CallbackAnswer(id); !answered {
			t.Error("the press was not answered")
		}
		if n := len(w.Messages(group)); n != 1 {
			t.Errorf("%d messages, want the second: an edit that cannot be made holds nothing up", n)
		}
		if waiting, err := w.store.WaitingChats(t.Context()); err != nil || len(waiting) != 0 {
			t.Errorf("jobs wait for %v, err %v", waiting, err)
		}
	})
}

// press presses a button and checks the answer.
func press(t *testing.T, w *world, messageID int, data, want string) {
	t.Helper()
	id, err := w.PressForged(group, messageID, data, support)
	if err != nil {
		t.Fatal(err)
	}
	settle(time.Second)
	if a, ok := w.CallbackAnswer(id); !ok || a.Text != want {
		t.Errorf("the press was answered with %q (%v), want %q", a.Text, ok, want)
	}
}

func TestPressOnAPostOfTheExistingBot(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		text, err := richtext.ParseHTML("🆕 <b>НОВОЕ ОБРАЩЕНИЕ</b> <code>ticket_site_9</code>\n\nТема: <i>баг</i> 😀 1 &lt; 2\n\n#bug #new")
		if err != nil {
			t.Fatal(err)
		}
		button := sim.Button{Text: "✅", CallbackData: "status_ticket_site_9_closed"}
		id, err := w.AddMessage(sim.Message{ChatID: group, Text: text.Text, Entities: text.Entities, Buttons: [][]sim.Button{{button}}})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		press(t, w, id, "status_ticket_site_9_closed", "Статус: Закрыто")
		m, _ := w.Message(group, id)
		date := m.EditDate.In(w.cfg.Location).Format("02.01.2006 15:04")
		want := "✅ <b>НОВОЕ ОБРАЩЕНИЕ</b> <code>ticket_site_9</code>\n\nТема: <i>баг</i> 😀 1 &lt; 2\n\n" +
			"<b>Статус:</b> Закрыто — @support_desk, " + date + "\n#bug #closed"
		if diff := cmp.Diff(want, m.HTML()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([][]sim.Button{{button}}, m.Buttons); diff != "" {
			t.Errorf("the keyboard changed:\n%s", diff)
		}
	})
}

func TestPressesThatDoNothing(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		const elsewhere = -1005555555555
		if err := w.AddChat(sim.Chat{ID: elsewhere, Title: "Elsewhere"}); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.admit("text")
		settle(time.Second)
		post := w.Messages(group)[0]
		other, err := w.AddMessage(sim.Message{ChatID: elsewhere, Text: "x #new", Buttons: post.Buttons})
		if err != nil {
			t.Fatal(err)
		}
		texts := ticket.Texts("ru")
		press(t, w, post.ID, "status_ticket_site_77_closed", texts.UnknownButton) // made up: the post has no such button
		press(t, w, post.ID, "cat_bug", texts.UnknownButton)
		id, err := w.Press(elsewhere, other, "status_ticket_site_1_closed", support)
		if err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if a, _ := w.CallbackAnswer(id); a.Text != texts.WrongChat {
			t.Errorf("in another chat the answer is %q", a.Text)
		}
		if n := w.Stats().Edited; n != 0 {
			t.Errorf("%d edits", n)
		}
	})
}

// colleague is another member of the staff.
var colleague = sim.User{ID: 1002, FirstName: "Colleague", LanguageCode: "en"}

func TestOfConcurrentPressesTheLastStays(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("text")
		settle(time.Second)
		post := w.Messages(group)[0].ID
		for i := range 20 {
			who, status := support, ticket.StatusRead
			if i%2 == 1 {
				who, status = colleague, ticket.StatusClosed
			}
			if _, err := w.Press(group, post, ticket.CallbackData("ticket_site_1", status), who); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Minute)
		text := w.Messages(group)[0].Text
		if strings.Count(text, "Статус:") != 1 || !strings.Contains(text, "Статус: Закрыто — Colleague, ") || !strings.HasSuffix(text, "#bug #closed") {
			t.Errorf("the post is\n%s", text)
		}
		if got := w.record("ticket_site_1"); got.Status != ticket.StatusClosed || got.StatusBy != "Colleague" {
			t.Errorf("the store has %s by %s", got.Status, got.StatusBy)
		}
		if answered := w.Stats().Answered; answered != 20 {
			t.Errorf("%d presses were answered, want 20", answered)
		}
	})
}

// record is what the store has of a ticket.
func (w *world) record(name string) (t store.TicketRecord) {
	w.t.Helper()
	w.follows(func(tx store.Tx) (err error) {
		t, err = tx.Ticket(name)
		return err
	})
	return t
}

// ownUpdates numbers updates that do not come from the simulator, far behind those that do.
var ownUpdates atomic.Int64

func init() { ownUpdates.Store(1 << 40) }

func TestAPressIsAnsweredWhileTheStoreIsBusy(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("text")
		settle(time.Second)
		w.halt()
		busy := &waitingStore{Store: w.store, free: make(chan struct{})}
		w.runWith(busy)
		post := w.Messages(group)[0]
		press(t, w, post.ID, ticket.CallbackData("ticket_site_1", ticket.StatusRead), "Статус: Прочитано")
		if got := w.Messages(group)[0].Edits; got != 0 {
			t.Errorf("%d edits before the store had a word in it", got)
		}
		close(busy.free)
		settle(time.Second)
		if text := w.Messages(group)[0].Text; !strings.HasSuffix(text, "#bug #read") {
			t.Errorf("the post is\n%s", text)
		}
	})
}

// waitingStore handles no update until it is free.
type waitingStore struct {
	Store
	free chan struct{}
}

func (s *waitingStore) Handle(ctx context.Context, id int64, do func(store.Tx) error) error {
	select {
	case <-s.free:
		return s.Store.Handle(ctx, id, do)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runWith runs the bot on another store than the world's own, until halt.
func (w *world) runWith(st Store) {
	w.t.Helper()
	b, err := New(w.cfg, st, w.health)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
}

func TestPressOnAMessageThatTelegramNoLongerShows(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("1 < 2")
		settle(time.Second)
		post := w.Messages(group)[0]
		w.feed(fmt.Sprintf(`{"callback_query":{"id":"1","from":{"id":5,"first_name":"Ann"},"data":"status_ticket_site_1_read",`+
			`"message":{"message_id":%d,"date":0,"chat":{"id":%d,"type":"supergroup"}}}}`, post.ID, group))
		settle(time.Second)
		if got := w.Messages(group)[0]; !strings.HasSuffix(got.Text, "#bug #read") || !strings.Contains(got.Text, "1 < 2") {
			t.Errorf("the post is\n%s", got.Text)
		}
		// Made up: another message than the ticket's post, and a ticket that nobody knows.
		for _, data := range []string{"status_ticket_site_1_closed", "status_ticket_site_2_closed"} {
			w.feed(fmt.Sprintf(`{"callback_query":{"id":"2","from":{"id":5,"first_name":"Ann"},"data":%q,`+
				`"message":{"message_id":%d,"date":0,"chat":{"id":%d,"type":"supergroup"}}}}`, data, post.ID+7, group))
		}
		settle(time.Second)
		if got := w.record("ticket_site_1").Status; got != ticket.StatusRead {
			t.Errorf("the ticket is %s", got)
		}
	})
}

// feed hands the bot an update as Telegram would send it, without its id, and has it looked at.
func (w *world) feed(body string) {
	w.t.Helper()
	w.halt()
	id := ownUpdates.Add(1)
	payload := fmt.Sprintf(`{"update_id":%d,%s`, id, strings.TrimPrefix(body, "{"))
	if err := w.store.SaveUpdates(context.Background(), []store.Update{{ID: id, Payload: []byte(payload)}}); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

func TestARepeatedPostIsKeptInLineWithTheFirst(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("text")
		settle(time.Second)
		second := w.Messages(group)[0]
		// What a crash between Telegram's acceptance and the commit leaves: a post that the store does not know.
		first, err := w.AddMessage(sim.Message{ChatID: group, Text: second.Text, Entities: second.Entities, Buttons: second.Buttons})
		if err != nil {
			t.Fatal(err)
		}
		press(t, w, first, ticket.CallbackData("ticket_site_1", ticket.StatusClosed), "Статус: Закрыто")
		settle(time.Second)
		for _, m := range w.Messages(group) {
			if !strings.HasSuffix(m.Text, "#bug #closed") {
				t.Errorf("message %d is\n%s", m.ID, m.Text)
			}
		}
	})
}

func TestIsOlder(t *testing.T) {
	received := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	ticket := func(settled time.Duration) store.TicketRecord {
		return store.TicketRecord{ReceivedAt: received, SettledAt: received.Add(settled), MessageID: 5}
	}
	tests := map[string]struct {
		post   time.Duration // after the ticket was received
		ticket store.TicketRecord
		want   bool
	}{
		"the first of two":                   {time.Second, ticket(time.Minute), false},
		"the first of two, not settled":      {time.Second, store.TicketRecord{ReceivedAt: received}, false},
		"of another":                         {-2 * time.Minute, ticket(time.Second), true},
		"of another, not settled":            {-2 * time.Minute, store.TicketRecord{ReceivedAt: received}, true},
		"of another, long queue":             {-2 * time.Minute, ticket(time.Hour), true},
		"the first of two, a clock ahead":    {-31 * time.Minute, ticket(-30 * time.Minute), false},
		"a part of the post, a clock ahead":  {-30 * time.Minute, ticket(-30 * time.Minute), false},
		"of another, long ago, clock ahead":  {-24 * time.Hour, ticket(-30 * time.Minute), true},
		"of another; refused, a clock ahead": {-2 * time.Minute, store.TicketRecord{ReceivedAt: received, SettledAt: received.Add(-time.Hour)}, true},
	}
	for what, tc := range tests {
		if got := isOlder(&message{Date: received.Add(tc.post).Unix()}, tc.ticket); got != tc.want {
			t.Errorf("%s: %v, want %v", what, got, tc.want)
		}
	}
}
