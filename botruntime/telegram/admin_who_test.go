// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"net/http"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestWhomABanIsFor(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "Buy my things")
		w.seq = 123456
		w.admitFrom(author.ID, "from the site") // ticket_site_123457
		settle(3 * time.Second)
		id := ticket.Values{"ID": author.ID, "Who": "@the_boss"}
		banned, unbanned := texts.Staff.Banned.With(id), texts.Staff.Unbanned.With(id)
		tests := []struct {
			replyTo       int
			command, want string
		}{
			{post.ID, "/ban spam, and more of it", banned},
			{post.ID, "/unban said sorry", unbanned},
			{0, "/ban 1 spam", banned},
			{0, "/unban #1", unbanned},
			{0, "/ban id2001 spam", banned},
			{0, "/unban ID2001", unbanned},
			{0, "/ban spam", texts.Staff.NoSuchTicket},
			{0, "/ban 2001", texts.Staff.NoSuchTicket}, // a ticket's number, as everywhere
			{post.ID, "/ban 99", texts.Staff.NoSuchTicket},
			{0, "/ban 123457", texts.Staff.TicketOrPerson.With(ticket.Values{"Ticket": "ticket_site_123457", "ID": 123457})},
			{0, "/ban ID123457", texts.Staff.Banned.With(ticket.Values{"ID": 123457})},
			{0, "/ban 123458", texts.Staff.Banned.With(ticket.Values{"ID": 123458})},
			{0, "/ban site_123457", banned},
		}
		for _, tc := range tests {
			if got := w.asks(boss, tc.replyTo, tc.command).Text; got != tc.want {
				t.Errorf("%s is answered with %q, want %q", tc.command, got, tc.want)
			}
		}
		w.follows(func(tx store.Tx) error {
			p, err := tx.Person(1)
			if !p.BannedAt.IsZero() {
				t.Error("the person with the id 1 is banned")
			}
			return err
		})
	})
}

func TestACommandMaySayWhy(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		if got := w.asks(boss, post.ID, "/close 2").Text; got != texts.Staff.NoSuchTicket {
			t.Errorf("another ticket's number is answered with %q", got)
		}
		if got := w.record("ticket_tg_1").Status; got != ticket.StatusNew {
			t.Errorf("the ticket is %s", got)
		}
		if got := w.asks(boss, post.ID, "/close done at last").Text; got != about(texts.Staff.Closed, "ticket_tg_1") {
			t.Errorf("/close with a reason is answered with %q", got)
		}
	})
}

// In the answer to a ticket a number that words follow may be one of the words.
func TestANumberMayBeOneOfTheWords(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		other := sim.User{ID: 2002, FirstName: "Other", LanguageCode: author.LanguageCode}
		w.feedback(author, "The map does not open")
		post := w.feedback(other, "Buy my things")
		which := texts.Staff.WhichOfTwo.With(ticket.Values{"First": "ticket_tg_2", "Second": "ticket_tg_1"})
		banned := texts.Staff.Banned.With(ticket.Values{"ID": other.ID})
		unbanned := texts.Staff.Unbanned.With(ticket.Values{"ID": other.ID})
		old, err := w.AddMessage(sim.Message{ChatID: group, Text: "of a ticket that is not there any more",
			Buttons: [][]sim.Button{{{Text: "Closed", CallbackData: ticket.CallbackData("ticket_tg_77", ticket.StatusClosed)}}}})
		if err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			replyTo       int
			command, want string
		}{
			{post.ID, "/ban 1 time is enough", which},
			{post.ID, "/close 1 day ago", which},
			{post.ID, "/ban 100000 roubles they want", texts.Staff.TicketOrPerson.With(ticket.Values{"Ticket": "ticket_tg_2", "ID": 100000})},
			{old, "/ban 1 time is enough", texts.Staff.NoSuchTicket},
			{old, "/ban 100000 roubles they want", texts.Staff.NoSuchTicket},
			{post.ID, "/ban 3 times told", banned}, // there is no such ticket
			{post.ID, "/unban 2 days will do", unbanned},
			{post.ID, "/ban tg_2 for good", banned},
			{post.ID, "/unban id2002 for good", unbanned},
			{post.ID, "/close 1", about(texts.Staff.Closed, "ticket_tg_1")},
			{post.ID, "/close 2 days ago", about(texts.Staff.Closed, "ticket_tg_2")},
			{0, "/close 1 day ago", about(texts.Staff.AlreadyClosed, "ticket_tg_1")},
		}
		for _, tc := range tests {
			if got := w.asks(boss, tc.replyTo, tc.command).Text; got != tc.want {
				t.Errorf("%s is answered with %q, want %q", tc.command, got, tc.want)
			}
		}
		w.admitTicket(0, "bug", "from the site") // ticket_site_1
		settle(3 * time.Second)
		want := texts.Staff.WhichOfTwo.With(ticket.Values{"First": "ticket_tg_2, ticket_site_1", "Second": "ticket_tg_1"})
		if got := w.asks(boss, post.ID, "/close 1 day ago").Text; got != want {
			t.Errorf("of three the answer is %q, want %q", got, want)
		}
		for _, id := range []int64{author.ID, 100000} {
			w.follows(func(tx store.Tx) error {
				p, err := tx.Person(id)
				if !p.BannedAt.IsZero() {
					t.Errorf("the person with the id %d is banned", id)
				}
				return err
			})
		}
	})
}

func TestACommandSaysWhatHelpsWhereTelegramNeverTells(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
		refusing := &refusing{RoundTripper: w.cfg.HTTPClient.Transport, method: "/getChatMember"}
		refusing.times.Store(1000)
		w.cfg.HTTPClient = &http.Client{Transport: refusing}
		w.restart()
		settle(3 * time.Second)
		if got := w.asks(boss, 0, "/open").Text; got != texts.Staff.AdminHidden {
			t.Errorf("the administrator reads %q", got)
		}
		refusing.times.Store(0) // the bot was made an administrator
		if got := w.asks(boss, 0, "/open").Text; got != texts.Staff.NothingOpen {
			t.Errorf("afterwards the administrator reads %q", got)
		}
	})
}
