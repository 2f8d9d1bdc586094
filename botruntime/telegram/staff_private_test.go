// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// What somebody of the staff's writes about feedback of their own is an author's.
func TestTheOnlyMemberOfTheStaffAnswersAsAnAuthor(t *testing.T) {
	withOwner(t, func(t *testing.T, w *world, owner, author sim.User, texts *ticket.Catalog) {
		w.reconfigure(func(c *Config) { c.Routes = []Route{{Category: "bug", ChatID: group}} })
		w.start()
		settle(3 * time.Second)
		added := texts.Direct.Added.With(ticket.Values{"Ticket": "ticket_tg_1"})
		answers := func(what string, to int, text string) sim.Message {
			t.Helper()
			w.say(sim.Incoming{ChatID: owner.ID, By: owner, ReplyTo: to, Text: text})
			if got := w.last(owner.ID).Text; got != added {
				t.Errorf("%s: the owner reads %q, want %q", what, got, added)
			}
			got := w.last(group)
			if want := ticket.Texts(w.cfg.Language).Direct.Addition.With(ticket.Values{"Ticket": "ticket_tg_1"}) + "\n\n" + text; got.Text != want {
				t.Errorf("%s: the group reads %q, want %q", what, got.Text, want)
			}
			return got
		}
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, Text: "/feedback"})
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, Text: "/skip"})
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, Text: texts.Categories["bug"]})
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, Text: "Does this work at all?"})
		post := w.lastOf(group, "Does this work at all?")
		answers("a reply to the confirmation", w.last(owner.ID).ID, "I wonder")
		question := w.reply(support, post.ID, "What does?")
		asked := w.last(owner.ID)
		if got := answers("a reply to the staff", asked.ID, "All of this").ReplyTo; got != question {
			t.Errorf("the owner's answer answers %d, want %d", got, question)
		}
		if by := w.record("ticket_tg_1").StatusBy; by != "@support_desk" {
			t.Errorf("the ticket was answered by %q", by)
		}
		// What another wrote he still answers as the staff.
		w.reconfigure(func(c *Config) { c.Routes = nil })
		w.start()
		settle(3 * time.Second)
		others := w.feedback(author, "The map does not open")
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, ReplyTo: others.ID, Text: "Fixed"})
		if got, want := w.last(author.ID).Text, about(texts.Staff.Reply, "ticket_tg_2")+"\n\nFixed"; got != want {
			t.Errorf("the author reads %q, want %q", got, want)
		}
	})
}

// What the bot says about an answer comes behind it, wherever the answer was written.
func TestAnAnswerOutOfAPrivateChatComesFirst(t *testing.T) {
	withOwner(t, func(t *testing.T, w *world, owner, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"}) // asks for a nickname
		before := len(w.Messages(author.ID))
		w.say(sim.Incoming{ChatID: owner.ID, By: owner, ReplyTo: post.ID, Text: "Which map?"})
		want := []string{about(texts.Staff.Reply, "ticket_tg_1") + "\n\nWhich map?", texts.Direct.SetAside}
		if diff := cmp.Diff(want, w.textsBehind(author.ID, before)); diff != "" {
			t.Errorf("the author has (-want +got):\n%s", diff)
		}
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
