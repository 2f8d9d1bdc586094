// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// What the staff did before its group became a supergroup may be handled after that: the bot was away, say.
func TestWhatWasDoneInTheGroupThatWasCounts(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "Before the group grew")
		if err := w.Migrate(group, supergroup); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		w.reply(support, post.ID, "Fixed")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nFixed") {
			t.Errorf("the author reads %q", got)
		}
		id, err := w.Press(group, post.ID, ticket.CallbackData("ticket_tg_1", ticket.StatusInProgress), sim.User{ID: 1009, FirstName: "Ann", LanguageCode: author.LanguageCode})
		if err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if a, _ := w.CallbackAnswer(id); a.Text != texts.Status+": "+texts.Statuses[ticket.StatusInProgress] {
			t.Errorf("the press is answered with %q", a.Text)
		}
		if got := w.record("ticket_tg_1").Status; got != ticket.StatusInProgress {
			t.Errorf("the ticket is %s", got)
		}
		w.reply(boss, post.ID, "/close")
		if got := w.last(supergroup); got.Text != about(texts.Staff.Closed, "ticket_tg_1") || got.ReplyTo != 0 {
			t.Errorf("/close is answered with %q in reply to %d", got.Text, got.ReplyTo)
		}
		if waiting, err := w.store.WaitingChats(t.Context()); err != nil || len(waiting) != 0 {
			t.Errorf("jobs wait for %v, err %v", waiting, err)
		}
	})
}

// What the staff answered with a picture, which had not been copied yet when its group became a supergroup, cannot be: the staff hears
// of it. It is the group that moved, not the author.
func TestAPictureThatTheGroupLeftBehind(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "Before the group grew")
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultInternal, Methods: []string{"copyMessage"}}); err != nil {
			t.Fatal(err)
		}
		w.say(sim.Incoming{ChatID: group, By: support, ReplyTo: post.ID, Text: "Like this", Media: &sim.Media{Kind: sim.Photo}})
		if err := w.Migrate(group, supergroup); err != nil {
			t.Fatal(err)
		}
		if err := w.SetFaults(); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Second)
		if got := w.last(supergroup).Text; got != unanswered(texts, texts.Staff.ReplyRefused, ticket.Ticket{ID: "ticket_tg_1"}) {
			t.Errorf("the staff reads %q", got)
		}
		w.say(sim.Incoming{ChatID: supergroup, By: support, ReplyTo: w.last(supergroup).ID, Text: "In words, then"})
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nIn words, then") {
			t.Errorf("the author reads %q\n%s", got, w.logs)
		}
		if waiting, err := w.store.WaitingChats(t.Context()); err != nil || len(waiting) != 0 {
			t.Errorf("jobs wait for %v, err %v", waiting, err)
		}
	})
}
