// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// inBothLanguages runs a conversation between a staff and an author who both speak Russian, and both English, on every
// database.
func inBothLanguages(t *testing.T, test func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog)) {
	t.Helper()
	t.Parallel() // a database has its own time
	for _, language := range ticket.Languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			onEveryDatabase(t, func(t *testing.T, w *world) {
				w.reconfigure(func(c *Config) { c.Language = language })
				w.start()
				test(t, w, sim.User{ID: 2001, FirstName: "Author", Username: "author", LanguageCode: language}, ticket.Texts(language))
			})
		})
	}
}

// reconfigure changes what the bot and its store run by, before they start.
func (w *world) reconfigure(change func(*Config)) {
	w.t.Helper()
	w.halt()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Intake = Intake{Enabled: true, Limit: store.Limit{Uses: 5, Window: 10 * time.Minute}, MinLength: 10, MaxLength: 2000,
		Categories: []Category{{Name: "bug"}, {Name: "wish"}}}
	change(&w.cfg)
	w.open()
}

// say writes in a chat, and lets the bot work.
func (w *world) say(in sim.Incoming) int {
	w.t.Helper()
	id, err := w.Write(in)
	if err != nil {
		w.t.Fatal(err)
	}
	settle(3 * time.Second)
	return id
}

// reply is what a member of the staff writes in answer to a message of the group; 0 is none.
func (w *world) reply(by sim.User, to int, text string) int {
	w.t.Helper()
	return w.say(sim.Incoming{ChatID: group, By: by, ReplyTo: to, Text: text})
}

// feedback has a person write a ticket in a direct message, and returns its post.
func (w *world) feedback(by sim.User, text string) sim.Message {
	w.t.Helper()
	w.say(sim.Incoming{ChatID: by.ID, By: by, Text: "/feedback"})
	w.say(sim.Incoming{ChatID: by.ID, By: by, Text: "/skip"})
	question := w.last(by.ID)
	if _, err := w.Press(by.ID, question.ID, "cat_bug", by); err != nil {
		w.t.Fatal(err)
	}
	settle(3 * time.Second)
	w.say(sim.Incoming{ChatID: by.ID, By: by, Text: text})
	return w.lastOf(w.store.EffectiveChat(w.cfg.ChatID), text)
}

// last is the last message of a chat.
func (w *world) last(chatID int64) sim.Message {
	w.t.Helper()
	messages := w.Messages(chatID)
	if len(messages) == 0 {
		w.t.Fatalf("nothing was written in chat %d\n%s", chatID, w.logs)
	}
	return messages[len(messages)-1]
}

// message is one message of the group, as it is now.
func (w *world) message(id int) sim.Message {
	w.t.Helper()
	m, ok := w.Message(group, id)
	if !ok {
		w.t.Fatalf("message %d is gone", id)
	}
	return m
}

// quiet checks that no message was written while something was done, in any of the chats.
func (w *world) quiet(what string, do func(), chats ...int64) {
	w.t.Helper()
	count := func() (n int) {
		for _, id := range chats {
			n += len(w.Messages(id))
		}
		return n
	}
	before := count()
	do()
	settle(3 * time.Second)
	if n := count() - before; n != 0 {
		w.t.Errorf("%s: %d messages", what, n)
	}
}

// lastOf is the last message of a chat that has a text in it.
func (w *world) lastOf(chatID int64, text string) sim.Message {
	w.t.Helper()
	for _, m := range slices.Backward(w.Messages(chatID)) {
		if strings.Contains(m.Text, text) {
			return m
		}
	}
	w.t.Fatalf("nobody said %q in chat %d\n%s", text, chatID, w.logs)
	return sim.Message{}
}

// admitFrom puts a bug of the site's into the store, whose author has a Telegram id.
func (w *world) admitFrom(telegramID int64, message string) {
	w.admitTicket(telegramID, "bug", message)
}

func (w *world) admitTicket(telegramID int64, category, message string) {
	w.t.Helper()
	w.seq++
	id := fmt.Sprint("request-", w.seq)
	_, err := w.store.Admit(context.Background(), []store.Request{{ID: id, Nonce: id, Signature: wire.Signature{KeyID: "key"},
		ReadAt: time.Now(), NonceUntil: time.Now().Add(time.Minute), Ticket: ticket.Ticket{Source: ticket.SourceSite,
			FeedbackID: w.seq, TelegramID: telegramID, Category: category, Message: message}}})
	if err != nil {
		w.t.Fatal(err)
	}
}
