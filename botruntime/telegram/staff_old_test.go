// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// Where tickets are numbered anew, for the database was lost, say, posts of others with the same names stand in the chat.
func TestAnOldPostMeansNoTicketOfTheSameName(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		closed := ticket.CallbackData("ticket_tg_1", ticket.StatusClosed)
		old, err := w.AddMessage(sim.Message{ChatID: group, Date: time.Now().Add(-24 * time.Hour), Text: "ticket_tg_1\n\nWhere is my refund?\n\n#bug #new",
			Buttons: [][]sim.Button{{{Text: "Closed", CallbackData: closed}}}})
		if err != nil {
			t.Fatal(err)
		}
		post := w.feedback(author, "The map does not open")
		w.quiet("a reply to the old post", func() { w.reply(support, old, "It is on its way to your address") }, author.ID)
		for _, command := range []string{"/ban", "/close", "/ticket"} {
			if got := w.asks(boss, old, command).Text; got != texts.Staff.WhichTicket {
				t.Errorf("%s is answered with %q", command, got)
			}
		}
		if _, err := w.Press(group, old, closed, support); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if text := w.message(old).Text; !strings.Contains(text, "refund") || !strings.HasSuffix(text, "#bug #closed") {
			t.Errorf("the old post is\n%s", text)
		}
		if got := w.record("ticket_tg_1").Status; got != ticket.StatusNew {
			t.Errorf("the new ticket is %s", got)
		}
		if text := w.message(post.ID).Text; !strings.HasSuffix(text, "#bug #new") {
			t.Errorf("its post is\n%s", text)
		}
	})
}

// What a crash between Telegram's acceptance and the commit leaves: a post that the store does not know.
func TestAReplyToEitherOfTwoPostsReachesTheAuthor(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		second := w.feedback(author, "The map does not open")
		first, err := w.AddMessage(sim.Message{ChatID: group, Text: second.Text, Entities: second.Entities, Buttons: second.Buttons})
		if err != nil {
			t.Fatal(err)
		}
		w.reply(support, first, "Fixed")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nFixed") {
			t.Errorf("the author reads %q", got)
		}
		for _, id := range []int{first, second.ID} {
			if text := w.message(id).Text; !strings.HasSuffix(text, "#bug #replied") {
				t.Errorf("post %d is\n%s", id, text)
			}
		}
		w.halt()
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultBadGateway, Methods: []string{"getMe"}}); err != nil {
			t.Fatal(err)
		}
		w.start() // and does not get to know who it is
		w.reply(support, first, "Really")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nReally") {
			t.Errorf("from a bot that was just started the author reads %q", got)
		}
	})
}
