// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

var allEvents = []store.EventKind{store.EventCreated, store.EventStatus, store.EventReply, store.EventMessage}

// told are the events that wait for the site.
func (w *world) told() []store.DueEvent {
	w.t.Helper()
	due, err := w.store.DueEvents(w.t.Context(), 0, allEvents, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return due
}

// The site is told what happens in Telegram: by whom, with which files, which it can have, in which language and when.
func TestTheSiteIsTold(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		w.reconfigure(func(c *Config) { c.Language = "en" })
		w.start()
		settle(time.Second)
		by := sim.User{ID: 2001, FirstName: "Ann", LastName: "Other", Username: "annother", LanguageCode: "pt-BR"}
		boss := sim.User{ID: 1001, FirstName: "Boss", LanguageCode: "en"}
		if err := w.SetMember(group, boss, sim.Administrator, false); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"/feedback", "/skip", "bug"} {
			w.say(sim.Incoming{ChatID: by.ID, By: by, Text: text})
		}
		w.say(sim.Incoming{ChatID: by.ID, By: by, Media: &sim.Media{Kind: sim.Document, FileName: "../log.txt", MIMEType: "text/plain", Content: []byte("text")}})
		w.say(sim.Incoming{ChatID: by.ID, By: by, Text: "It does not open", Media: &sim.Media{Kind: sim.Photo, Size: 5000}})
		post := w.lastOf(group, "It does not open")
		if _, err := w.Press(group, post.ID, ticket.CallbackData("ticket_tg_1", ticket.StatusRead), boss); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		began := time.Now()
		w.say(sim.Incoming{ChatID: group, By: boss, ReplyTo: post.ID, Text: "Like so?", Media: &sim.Media{Kind: sim.Voice, Content: []byte("voice")}})
		w.say(sim.Incoming{ChatID: by.ID, By: by, Media: &sim.Media{Kind: sim.Sticker}})
		w.reply(boss, post.ID, "/close")
		var got []string
		desk := w.bot.Desk()
		for _, e := range w.told() {
			line := fmt.Sprintf("%s %s %d|%s|%s %s %q %s", e.Kind, e.Ticket, e.By.TelegramID, e.By.Username, e.By.Name, e.Status, e.Text, e.Locale)
			for _, a := range e.Attachments {
				content, err := desk.Fetch(t.Context(), a, 1<<20)
				if kept, _ := w.File(a.FileID); err != nil || !bytes.Equal(content, kept) {
					t.Errorf("%s: fetched %d bytes, %v", a.Name, len(content), err)
				}
				line += fmt.Sprintf(" [%s %s %d]", a.Name, a.MIME, a.Size)
			}
			got = append(got, line)
			if e.Kind == store.EventReply && e.At.Sub(began) > time.Second {
				t.Errorf("the reply was at %v, want %v", e.At, began)
			}
		}
		want := []string{
			`created ticket_tg_1 2001|annother|Ann Other  "It does not open" pt-BR [log.txt text/plain 4] [photo.jpg image/jpeg 5000]`,
			`status ticket_tg_1 1001||Boss read "" `,
			`reply ticket_tg_1 1001||Boss  "Like so?"  [voice.ogg audio/ogg 5]`,
			`status ticket_tg_1 1001||Boss replied "" `,
			`message ticket_tg_1 2001|annother|Ann Other  ""  [sticker.webp image/webp 0]`,
			`status ticket_tg_1 1001||Boss closed "" `,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +told):\n%s\n%s", diff, w.logs)
		}
	})
}

func TestSufficientPhotos(t *testing.T) {
	size := func(width int, bytes int64) file {
		return file{ID: fmt.Sprint(width), Width: width, Height: width / 2, Size: bytes}
	}
	for want, sizes := range map[string][]file{
		"1280": {size(90, 1000), size(320, 10_000), size(1280, 200_000), size(2560, 400_000)},
		"800":  {size(90, 1000), size(800, 100_000), size(1280, 900_000)},
		"320":  {size(90, 1000), size(320, 10_000)},
		"90":   {size(90, 1000)},
		"2000": {size(90, 0), size(2000, 0)}, // nobody said how large they are
	} {
		if got := sufficient(sizes).ID; got != want {
			t.Errorf("%s is sufficient, want %s", got, want)
		}
	}
}

// Of two statuses the later counts, on both sides; what the site gave it is not told.
func TestStatusesOfTheSite(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		w.start()
		w.admit("one")
		settle(time.Second)
		post := w.last(group)
		olga := wire.Actor{Name: "Olga <b>"}
		if !w.siteStatus("ticket_site_1", ticket.StatusInProgress, olga, time.Now()) {
			t.Error("a first status was not taken")
		}
		settle(3 * time.Second)
		if text := w.message(post.ID).Text; !strings.Contains(text, "Статус: В работе — сайт: Olga <b>,") {
			t.Errorf("the post says %q", text)
		}
		if _, err := w.Press(group, post.ID, ticket.CallbackData("ticket_site_1", ticket.StatusClosed), support); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if w.siteStatus("ticket_site_1", ticket.StatusRead, olga, time.Now().Add(-4*time.Second)) {
			t.Error("an earlier status was taken")
		}
		settle(3 * time.Second)
		if text := w.message(post.ID).Text; !strings.Contains(text, "Статус: Закрыто — @support_desk,") {
			t.Errorf("the post says %q", text)
		}
		if !w.siteStatus("ticket_site_1", ticket.StatusNew, wire.Actor{}, time.Now()) {
			t.Error("a later status was not taken")
		}
		settle(3 * time.Second)
		if text := w.message(post.ID).Text; !strings.HasPrefix(text, "🆕") || !strings.Contains(text, "Статус: Новое — сайт,") {
			t.Errorf("the post says %q", text)
		}
		if told := w.told(); len(told) != 1 || told[0].Status != ticket.StatusClosed {
			t.Errorf("the site was told %+v", told)
		}
	})
}

// A status of the site's closes a ticket's own topic, and opens it again, as a press does.
func TestStatusesOfTheSiteTurnTopics(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		if err := w.AddChat(sim.Chat{ID: group, Title: "Forum", Forum: true}); err != nil {
			t.Fatal(err)
		}
		w.reconfigure(func(c *Config) { c.Topics = TopicsPerTicket })
		w.start()
		w.admit("one")
		settle(time.Second)
		for _, step := range []struct {
			status ticket.Status
			method string
			calls  int64
		}{{ticket.StatusClosed, "closeforumtopic", 1}, {ticket.StatusRead, "reopenforumtopic", 1}, {ticket.StatusInProgress, "reopenforumtopic", 1}} {
			w.siteStatus("ticket_site_1", step.status, wire.Actor{}, time.Now())
			settle(3 * time.Second)
			if n := w.Stats().Methods[step.method]; n != step.calls {
				t.Errorf("%s: %d calls of %s, want %d", step.status, n, step.method, step.calls)
			}
		}
		w.siteReply("ticket_site_1", wire.Reply{From: wire.FromUser, Text: "In my topic"})
		settle(3 * time.Second)
		if m := w.lastOf(group, "In my topic"); m.ThreadID == 0 || m.ThreadID != w.lastOf(group, "one").ThreadID {
			t.Errorf("the addition stands in topic %d", m.ThreadID)
		}
	})
}

// What is written at the site while its ticket waits follows the ticket's post; its status is on the post from the start.
func TestRepliesWaitForTheirTicketsPost(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultInternal, Methods: []string{"sendMessage", "sendPhoto"}}); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.admitWith(0, "one", aPicture)
		settle(time.Second)
		w.siteReply("ticket_site_1", wire.Reply{From: wire.FromStaff, Text: "An answer", Author: wire.Actor{Name: "Olga"}, Attachments: []wire.Attachment{aLog}})
		settle(time.Second)
		w.restart()
		if err := w.SetFaults(); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Minute)
		var got []string
		for i, m := range w.Messages(group) {
			first, _, _ := strings.Cut(shown(m), "\n")
			got = append(got, first)
			if i > 0 && m.ReplyTo != w.Messages(group)[0].ID {
				t.Errorf("%q answers %d", first, m.ReplyTo)
			}
		}
		want := []string{"📨 Обращение ticket_site_1", "[photo] 📎 ticket_site_1", "Ответ с сайта на ticket_site_1", "[document] 📎 ticket_site_1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, w.logs)
		}
	})
}

// An answer that comes late changes no later status.
func TestLateRepliesOfTheSite(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		w.admit("one")
		settle(time.Minute)
		early := time.Now()
		settle(time.Minute)
		w.siteStatus("ticket_site_1", ticket.StatusInProgress, wire.Actor{}, time.Now())
		w.siteReply("ticket_site_1", wire.Reply{From: wire.FromStaff, Text: "Late", At: early})
		settle(time.Minute)
		if told := w.told(); len(told) != 0 || !strings.HasPrefix(w.Messages(group)[0].Text, "🔧") {
			t.Errorf("the site was told %+v, the post says %q", told, w.Messages(group)[0].Text)
		}
		ahead := time.Now().Add(time.Hour) // the site's clock
		w.siteReply("ticket_site_1", wire.Reply{From: wire.FromStaff, Text: "Now", At: ahead, Author: wire.Actor{Name: "Olga"}})
		settle(time.Minute)
		told := w.told()
		if len(told) != 1 || told[0].Status != ticket.StatusReplied || told[0].By != (store.Actor{Name: "Olga"}) || !told[0].At.Before(time.Now()) {
			t.Errorf("the site was told %+v", told)
		}
	})
}

// A text of any length arrives, but for the end of what nobody reads in a chat.
func TestLongRepliesOfTheSite(t *testing.T) {
	texts := ticket.Texts("en")
	all := written("A header", "t.me/somebody", strings.Repeat("word and word ", 5000), texts)
	if len(all) != maxPieces {
		t.Fatalf("%d messages", len(all))
	}
	for i, p := range all {
		if n := ticket.Units(p.Text); n > ticket.MaxUnits-repeatRoom {
			t.Errorf("message %d has %d units", i, n)
		}
	}
	if end := all[maxPieces-1].Text; !strings.HasSuffix(end, "more characters.") {
		t.Errorf("the last one ends with %q", end[len(end)-60:])
	}
	if all[0].Entities[1].Type != "code" || !strings.HasPrefix(all[0].Text, "A header\n👤 t.me/somebody\n\nword") {
		t.Errorf("the first one: %+v", all[0])
	}
	if only := written("A header", "", " \n", texts); len(only) != 1 || only[0].Text != "A header" {
		t.Errorf("of no text: %+v", only)
	}
}

// Where a site takes replies, an author who is not in Telegram reads them there: the ticket is answered. A site that takes none
// any more is where the staff has to answer.
func TestAnswersReachTheSite(t *testing.T) {
	onEveryDatabase(t, func(t *testing.T, w *world) {
		w.reconfigure(func(c *Config) { c.Language = "en" })
		w.start()
		if err := w.bot.Desk().Meet(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		w.admitFrom(0, "of nobody in Telegram")
		settle(time.Minute)
		w.restart()
		settle(time.Minute)
		post := w.Messages(group)[0]
		reply := w.reply(support, post.ID, "Like this")
		if m := w.message(reply); m.Reaction != "👌" || len(w.Messages(group)) != 2 {
			t.Errorf("reaction %q, the group has %q", m.Reaction, w.shownIn(group, 0))
		}
		if text := w.message(post.ID).Text; !strings.HasPrefix(text, "📨") {
			t.Errorf("the post says %q", text)
		}
		told := w.told()
		if len(told) != 2 || told[0].Text != "Like this" || told[1].Status != ticket.StatusReplied {
			t.Errorf("the site was told %+v", told)
		}
		if err := w.bot.Desk().Meet(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		w.reply(support, post.ID, "And that")
		if m := w.last(group); !strings.HasSuffix(m.Text, "Please answer on the site.") {
			t.Errorf("the last message says %q", m.Text)
		}
	})
}
