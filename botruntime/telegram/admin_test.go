// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// boss is the administrator of the staff's chat.
var boss = sim.User{ID: 1007, FirstName: "Boss", Username: "the_boss"}

// withBoss runs a conversation in both languages, in a chat that has an administrator.
func withBoss(t *testing.T, test func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog)) {
	t.Helper()
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		if err := w.SetMember(group, boss, sim.Administrator, false); err != nil {
			t.Fatal(err)
		}
		test(t, w, author, texts)
	})
}

// asks gives a command, as an answer to a message or, with 0, to none, and returns what the bot answers.
func (w *world) asks(by sim.User, to int, command string) sim.Message {
	w.t.Helper()
	id := w.reply(by, to, command)
	answer := w.last(group)
	if answer.ReplyTo != id {
		w.t.Fatalf("%s was not answered; the last message is %q", command, answer.Text)
	}
	return answer
}

func TestCommandsAreForAdministrators(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
		anonymous := func() string {
			w.say(sim.Incoming{ChatID: group, By: boss, Anonymous: true, Text: "/open"})
			return w.last(group).Text
		}
		if got := w.asks(colleague, 0, "/open").Text; got != texts.Staff.AdminOnly {
			t.Errorf("a member reads %q", got)
		}
		for range 30 { // no flood of them gets more than one answer a minute
			if _, err := w.Say(group, "/open", colleague); err != nil {
				t.Fatal(err)
			}
		}
		settle(3 * time.Second)
		if got := w.last(group); got.From.ID != colleague.ID {
			t.Errorf("the flood is answered with %q", got.Text)
		}
		if got := w.asks(boss, 0, "/open").Text; got != texts.Staff.NothingOpen {
			t.Errorf("an administrator reads %q", got)
		}
		if got := anonymous(); got != texts.Staff.NothingOpen {
			t.Errorf("an anonymous administrator reads %q", got)
		}
		if got := w.asks(boss, 0, "/help@"+w.Bot().Username).Text; got != texts.Staff.Help {
			t.Errorf("/help is answered with %q", got)
		}
		w.quiet("another bot's command", func() { w.reply(boss, 0, "/open@another_bot") }, boss.ID)
		if got := w.last(group).Text; got != "/open@another_bot" {
			t.Errorf("another bot's command was answered with %q", got)
		}
	})
}

func TestAdministratorsAreLookedUpOnceAMinute(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
		for range 5 {
			w.asks(boss, 0, "/open")
		}
		asked := 0
		for _, r := range w.Requests(0) {
			if r.Method == "getchatmember" && r.Params["user_id"] == fmt.Sprint(boss.ID) {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("Telegram was asked %d times, want once", asked)
		}
		if err := w.SetMember(group, boss, sim.Member, false); err != nil {
			t.Fatal(err)
		}
		settle(memberMemory)
		if got := w.asks(boss, 0, "/open").Text; got != texts.Staff.AdminOnly {
			t.Errorf("a dismissed administrator reads %q", got)
		}
	})
}

func TestACommandSaysWhenTelegramDoesNot(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultBadGateway, Methods: []string{"getChatMember"}}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // each time: a command that is passed over in silence seems to have worked
			id := w.reply(boss, 0, "/ban 5")
			settle(memberTimeout)
			if got := w.last(group); got.ReplyTo != id || got.Text != texts.Staff.AdminUnknown {
				t.Errorf("the administrator reads %q", got.Text)
			}
		}
		w.follows(func(tx store.Tx) error {
			p, err := tx.Person(5)
			if !p.BannedAt.IsZero() {
				t.Error("the person is banned")
			}
			return err
		})
	})
}

func TestWhoIsAnAdministratorIsAskedAgain(t *testing.T) {
	for name, fault := range map[string]sim.Fault{
		"has to be waited for": {Kind: sim.FaultTooManyRequests, RetryAfter: 1},
		"cannot be reached":    {Kind: sim.FaultBadGateway},
		"does not answer":      {Kind: sim.FaultHang},
	} {
		t.Run(name, func(t *testing.T) {
			fault.Methods, fault.Times = []string{"getChatMember"}, 1
			withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
				if err := w.SetFaults(fault); err != nil {
					t.Fatal(err)
				}
				if got := w.asks(boss, 0, "/open").Text; got != texts.Staff.NothingOpen {
					t.Errorf("the administrator reads %q", got)
				}
			})
		})
	}
}

func TestOpenTicketsArePaged(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
		w.admit(counted(25)...)
		settle(time.Minute)
		list := w.asks(boss, 0, "/open")
		has := func(m sim.Message, names ...string) {
			t.Helper()
			for _, name := range names {
				if !strings.Contains(m.Text+"\n", name+" ") {
					t.Errorf("%s is not in\n%s", name, m.Text)
				}
			}
			if n := strings.Count(m.Text, "ticket_site_"); n != len(names) {
				t.Errorf("%d tickets, want %d, in\n%s", n, len(names), m.Text)
			}
		}
		named := func(from, to int) (names []string) {
			for i := from; i >= to; i-- {
				names = append(names, fmt.Sprint("ticket_site_", i))
			}
			return names
		}
		has(list, named(25, 16)...)
		if !strings.HasPrefix(list.Text, texts.Staff.OpenTickets.Count(25)) {
			t.Errorf("the list begins\n%s", list.Text)
		}
		turn := func(data, toast string, by sim.User) sim.Message {
			t.Helper()
			id, err := w.Press(group, list.ID, data, by)
			if err != nil {
				t.Fatal(err)
			}
			settle(3 * time.Second)
			if a, ok := w.CallbackAnswer(id); !ok || a.Text != toast {
				t.Errorf("%s is answered with %q (%v), want %q", data, a.Text, ok, toast)
			}
			return w.message(list.ID)
		}
		has(turn("open_2", "", boss), named(15, 6)...)
		has(turn("open_3", texts.Staff.AdminOnly, sim.User{ID: 9, LanguageCode: w.cfg.Language}), named(15, 6)...)
		has(turn("open_3", "", boss), named(5, 1)...)
		for i := 1; i <= 5; i++ { // the page that is shown is no more
			w.asks(boss, 0, fmt.Sprint("/close ", i))
		}
		has(turn("open_3", "", boss), named(15, 6)...)
	})
}

func TestTicketAndClose(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		card := w.asks(boss, 0, "/ticket tg_1")
		for _, part := range []string{"ticket_tg_1", "The map does not open", "@author", "ID2001", texts.Statuses[ticket.StatusNew]} {
			if !strings.Contains(card.Text, part) {
				t.Errorf("%q is not in\n%s", part, card.Text)
			}
		}
		if got := w.asks(boss, post.ID, "/ticket").Text; got != card.Text {
			t.Errorf("as a reply to the post it is\n%s", got)
		}
		tests := []struct{ command, want string }{
			{"/ticket 99", texts.Staff.NoSuchTicket},
			{"/ticket nonsense", texts.Staff.NoSuchTicket},
			{"/ticket", texts.Staff.WhichTicket},
			{"/close", texts.Staff.WhichTicket},
			{"/close 1", about(texts.Staff.Closed, "ticket_tg_1")},
			{"/close 1", about(texts.Staff.AlreadyClosed, "ticket_tg_1")},
		}
		for _, tc := range tests {
			if got := w.asks(boss, 0, tc.command).Text; got != tc.want {
				t.Errorf("%s is answered with %q, want %q", tc.command, got, tc.want)
			}
		}
		if text := w.message(post.ID).Text; !strings.Contains(text, texts.Statuses[ticket.StatusClosed]+" — @the_boss, ") {
			t.Errorf("the post is\n%s", text)
		}
		w.admit("on the site")
		settle(time.Second)
		want := texts.Staff.WhichOfTwo.With(ticket.Values{"First": "ticket_site_1", "Second": "ticket_tg_1"})
		if got := w.asks(boss, 0, "/close 1").Text; got != want {
			t.Errorf("where there are two it answers %q", got)
		}
		w.reply(support, card.ID, "Fixed") // who replies to the card writes to the author
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nFixed") {
			t.Errorf("the author reads %q", got)
		}
	})
}

func TestAFailedTicketIsRetried(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, _ sim.User, texts *ticket.Catalog) {
		refusing := &refusing{RoundTripper: w.cfg.HTTPClient.Transport, method: "/sendMessage"}
		refusing.times.Store(1)
		w.cfg.HTTPClient = &http.Client{Transport: refusing}
		w.restart()
		w.admit("refused")
		settle(3 * time.Second)
		card := w.asks(boss, 0, "/ticket 1")
		if !strings.Contains(card.Text, texts.Staff.Failed) || len(card.Buttons) != 1 {
			t.Fatalf("the card is\n%s\nwith %v", card.Text, card.Buttons)
		}
		for _, toast := range []string{about(texts.Staff.RetryBegun, "ticket_site_1"), texts.Staff.NothingToRetry} {
			id, err := w.PressForged(group, card.ID, "retry_ticket_site_1", sim.User{ID: boss.ID, LanguageCode: w.cfg.Language})
			if err != nil {
				t.Fatal(err)
			}
			if toast == texts.Staff.NothingToRetry { // the button is gone, and the data made up
				toast = texts.UnknownButton
			}
			settle(3 * time.Second)
			if a, _ := w.CallbackAnswer(id); a.Text != toast {
				t.Errorf("the press is answered with %q, want %q", a.Text, toast)
			}
		}
		if got := w.record("ticket_site_1").State; got != store.StatePosted {
			t.Errorf("the ticket is %s", got)
		}
		w.lastOf(group, "refused "+secretText)
	})
}

// refusing is a Telegram that refuses some calls of a method for good.
type refusing struct {
	http.RoundTripper
	method string
	times  atomic.Int32
}

func (r *refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, r.method) || r.times.Add(-1) < 0 {
		return r.RoundTripper.RoundTrip(req)
	}
	rec := httptest.NewRecorder()
	rec.WriteHeader(http.StatusBadRequest)
	_, err := rec.WriteString(`{"ok":false,"error_code":400,"description":"Bad Request: this is not to Telegram's taste"}`)
	return rec.Result(), err
}

func TestBanAndUnban(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "Buy my things")
		id := ticket.Values{"ID": "2001", "Who": "@the_boss"}
		if got := w.asks(boss, post.ID, "/ban").Text; got != texts.Staff.Banned.With(id) {
			t.Errorf("/ban is answered with %q", got)
		}
		if got := w.asks(boss, 0, "/ban ID2001").Text; got != texts.Staff.AlreadyBanned.With(id) {
			t.Errorf("the second /ban is answered with %q", got)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"})
		if got := w.last(author.ID).Text; got != texts.Direct.Banned {
			t.Errorf("the author reads %q", got)
		}
		if got := w.asks(boss, 0, "/unban ticket_tg_1").Text; got != texts.Staff.Unbanned.With(id) {
			t.Errorf("/unban is answered with %q", got)
		}
		if got := w.asks(boss, 0, "/unban ID2001").Text; got != texts.Staff.NotBanned.With(id) {
			t.Errorf("the second /unban is answered with %q", got)
		}
		w.feedback(author, "Sorry for that, really")
		w.admit("from the site, by nobody whom Telegram knows")
		settle(time.Second)
		if got := w.asks(boss, 0, "/ban ticket_site_1").Text; got != texts.Staff.NoAuthor {
			t.Errorf("/ban of nobody is answered with %q", got)
		}
	})
}

func TestStatsCountTickets(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		w.admit(counted(2)...)
		settle(12 * time.Minute)
		w.reply(support, post.ID, "Fixed")
		got := w.asks(boss, 0, "/stats").Text
		for _, part := range []string{texts.Staff.Stats.Count(7), texts.Staff.Total + ": 3", texts.Sources[ticket.SourceSite] + ": 2",
			texts.Statuses[ticket.StatusReplied] + ": 1", "12 " + texts.Staff.Minute, texts.Staff.OpenNow + ": 3"} {
			if !strings.Contains(got, part) {
				t.Errorf("%q is not in\n%s", part, got)
			}
		}
		if got := w.asks(boss, 0, "/stats 30").Text; !strings.HasPrefix(got, texts.Staff.Stats.Count(30)) {
			t.Errorf("/stats 30 is answered with\n%s", got)
		}
	})
}

// uncounted is a store that cannot count tickets, in time, say.
type uncounted struct{ Store }

func (uncounted) TicketStats(context.Context, time.Time) (store.TicketStats, error) {
	return store.TicketStats{}, errors.New("count tickets: canceling statement due to statement timeout")
}

func TestStatsThatCannotBeCountedHoldNobodyUp(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		w.halt()
		w.runWith(uncounted{w.store})
		settle(time.Second)
		if got := w.asks(boss, 0, "/stats").Text; got != texts.Staff.NotCounted {
			t.Errorf("/stats is answered with\n%s", got)
		}
		if _, err := w.Press(group, post.ID, ticket.CallbackData("ticket_tg_1", ticket.StatusClosed), support); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if got := w.record("ticket_tg_1").Status; got != ticket.StatusClosed {
			t.Errorf("after a press the ticket is %s", got)
		}
	})
}

func TestARoutedChatSeesItsOwnTicketsOnly(t *testing.T) {
	const wishes = int64(-1005555555555)
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		if err := w.AddChat(sim.Chat{ID: wishes, Title: "Wishes"}); err != nil {
			t.Fatal(err)
		}
		if err := w.SetMember(wishes, boss, sim.Administrator, false); err != nil {
			t.Fatal(err)
		}
		w.reconfigure(func(c *Config) { c.Routes = []Route{{Category: "bug", ChatID: wishes}} })
		w.start()
		w.admitFrom(0, "a bug") // goes to the route's chat
		w.admitTicket(0, "question", "a question")
		settle(3 * time.Second)
		there := func(command string) string {
			w.say(sim.Incoming{ChatID: wishes, By: boss, Text: command})
			return w.last(wishes).Text
		}
		if got := there("/open"); !strings.Contains(got, "ticket_site_1 ") || strings.Contains(got, "ticket_site_2 ") {
			t.Errorf("the route's chat lists\n%s", got)
		}
		if got := there("/ticket 2"); got != texts.Staff.NoSuchTicket {
			t.Errorf("another chat's ticket is shown:\n%s", got)
		}
		if got := w.asks(boss, 0, "/open").Text; !strings.Contains(got, "ticket_site_1 ") || !strings.Contains(got, "ticket_site_2 ") {
			t.Errorf("the spec's chat lists\n%s", got)
		}
	})
}
