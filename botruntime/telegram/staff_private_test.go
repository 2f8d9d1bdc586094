// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// withOwner runs a conversation with somebody who runs a site alone: the staff's chat is a private one.
func withOwner(t *testing.T, test func(t *testing.T, w *world, owner, author sim.User, texts *ticket.Catalog)) {
	t.Helper()
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		owner := sim.User{ID: 3001, FirstName: "Owner", Username: "the_owner", LanguageCode: author.LanguageCode}
		if _, err := w.Say(owner.ID, "/start", owner); err != nil {
			t.Fatal(err)
		}
		w.reconfigure(func(c *Config) { c.ChatID = owner.ID })
		w.start()
		settle(3 * time.Second)
		test(t, w, owner, author, texts)
	})
}

func TestTheStaffMayBeOnePerson(t *testing.T) {
	withOwner(t, func(t *testing.T, w *world, owner, author sim.User, texts *ticket.Catalog) {
		says := func(replyTo int, text string) int {
			return w.say(sim.Incoming{ChatID: owner.ID, By: owner, ReplyTo: replyTo, Text: text})
		}
		if menu := w.shownMenu(sim.CommandScope{Type: "chat", ChatID: owner.ID}, ""); !strings.HasPrefix(menu, "feedback: ") || !strings.Contains(menu, ", open: ") {
			t.Errorf("the owner is offered %s", menu)
		}
		post := w.feedback(author, "The map does not open")
		answer := says(post.ID, "Fixxed")
		if got, want := w.last(author.ID).Text, about(texts.Staff.Reply, "ticket_tg_1")+"\n\nFixxed"; got != want {
			t.Errorf("the author reads %q, want %q", got, want)
		}
		if err := w.Edit(owner.ID, answer, "Fixed"); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if got := w.last(author.ID); !strings.HasSuffix(got.Text, "\n\nFixed") {
			t.Errorf("after the edit the author reads %q", got.Text)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, ReplyTo: w.last(author.ID).ID, Text: "Thank you"})
		if got := w.last(owner.ID); !strings.HasSuffix(got.Text, "\n\nThank you") || got.ReplyTo != answer {
			t.Errorf("the owner reads %q in reply to %d", got.Text, got.ReplyTo)
		}
		w.quiet("a note", func() { says(post.ID, "// done at last") }, author.ID)
		id, err := w.Press(owner.ID, post.ID, ticket.CallbackData("ticket_tg_1", ticket.StatusClosed), owner)
		if err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if a, _ := w.CallbackAnswer(id); a.Text != texts.Status+": "+texts.Statuses[ticket.StatusClosed] {
			t.Errorf("the press is answered with %q", a.Text)
		}
		if got, _ := w.Message(owner.ID, post.ID); !strings.Contains(got.Text, "@the_owner") || !strings.HasSuffix(got.Text, "#bug #closed") {
			t.Errorf("the post is\n%s", got.Text)
		}
		for command, want := range map[string]string{"/open": texts.Staff.NothingOpen, "/help": texts.Staff.Help,
			"/ban tg_1": texts.Staff.Banned.With(ticket.Values{"ID": author.ID})} {
			says(0, command)
			if got := w.last(owner.ID).Text; got != want {
				t.Errorf("%s is answered with %q", command, got)
			}
		}
	})
}

func TestTheOnlyMemberOfTheStaffMayWriteFeedback(t *testing.T) {
	withOwner(t, func(t *testing.T, w *world, owner, author sim.User, texts *ticket.Catalog) {
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, Text: "Is anybody there?"})
		if got := w.last(owner.ID).Text; !strings.Contains(got, "/feedback") {
			t.Errorf("what is about nothing is answered with %q", got)
		}
		w.feedback(owner, "Does this work at all?")
		text := w.lastOf(owner.ID, "ticket_tg_1")
		if !strings.Contains(text.Text, "#new") && !strings.Contains(text.Text, "✅") {
			t.Errorf("the owner reads %q", text.Text)
		}
		own := w.lastBy(owner.ID, owner)
		if err := w.Edit(owner.ID, own.ID, "Does this really work?"); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		w.lastOf(owner.ID, texts.Direct.EditNoted.With(ticket.Values{"Ticket": "ticket_tg_1"}))
		w.quiet("to somebody else", func() { w.say(sim.Incoming{ChatID: owner.ID, By: owner, Text: "/status"}) }, author.ID)
	})
}

// lastBy is the last message of a person's in a chat.
func (w *world) lastBy(chatID int64, by sim.User) (last sim.Message) {
	w.t.Helper()
	for _, m := range w.Messages(chatID) {
		if m.From.ID == by.ID {
			last = m
		}
	}
	return last
}
