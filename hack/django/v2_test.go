// SPDX-License-Identifier: Apache-2.0

package django

import (
	"slices"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// writer writes to the bot. It is not the author of the site's feedback, whose Telegram id is 1003.
var writer = telegram.User{ID: 7001, FirstName: "Writer", LanguageCode: "en"}

// one has the site create one feedback and waits for its ticket.
func (w *world) one(number int) telegram.Message {
	w.t.Helper()
	o := w.begin(number, 1, "--plain").finish(w.t, 1, patience)[0]
	if !o.Committed {
		w.t.Fatalf("%+v", o)
	}
	return w.post(o.mark())
}

// act does something on the site; see the command's help.
func (w *world) act(mark string, what ...string) {
	w.t.Helper()
	_, err := w.site.Manage(w.t.Context(), append([]string{"act", mark}, what...)...)
	must(w.t, err)
}

// press presses a button under a post.
func (w *world) press(m telegram.Message, status ticket.Status) {
	w.t.Helper()
	_, err := w.telegram.Press(group, m.ID, ticket.CallbackData(ticketOf.FindString(m.Text), status), support)
	must(w.t, err)
}

// reply is the staff's reply to a post.
func (w *world) reply(m telegram.Message, text string) {
	w.t.Helper()
	_, err := w.telegram.Reply(group, m.ID, text, support)
	must(w.t, err)
}

// siteHas waits until the site's record of a feedback is as it should be.
func (w *world) siteHas(what, mark string, met func(entry) bool) {
	w.t.Helper()
	var last []entry
	if poll(patience, func() bool {
		last = w.ledger(0)
		return slices.ContainsFunc(last, func(e entry) bool { return strings.Contains(e.Message, mark) && met(e) })
	}) {
		return
	}
	w.t.Fatalf("in vain: the site has %s of %s: %+v\nthe bot:\n%s\nthe site:\n%s", what, mark, last, process.Tail(w.bot.Log()), process.Tail(w.site.Log()))
}

func has(status ticket.Status, replies ...[2]string) func(entry) bool {
	return func(e entry) bool { return e.Status == string(status) && slices.Equal(e.Replies, replies) }
}

// groupHas waits until the group has a message under a post, whoever wrote it.
func (w *world) groupHas(under telegram.Message, text string) {
	w.t.Helper()
	w.until("under the ticket: "+text, func() bool {
		return slices.ContainsFunc(w.telegram.Messages(group), func(m telegram.Message) bool {
			return m.From.IsBot && m.ReplyTo == under.ID && strings.Contains(m.Text, text)
		})
	})
}

func (w *world) postShows(m telegram.Message, status ticket.Status) {
	w.t.Helper()
	w.until("the post shows "+string(status), func() bool {
		now, _ := w.telegram.Message(group, m.ID)
		return strings.Contains(now.Text, "#"+string(status))
	})
}

// direct writes a feedback to the bot and returns the ticket's post.
func (w *world) direct(text string) telegram.Message {
	w.t.Helper()
	say := func(text string) {
		_, err := w.telegram.Write(telegram.Incoming{ChatID: writer.ID, By: writer, Text: text})
		must(w.t, err)
	}
	answers := func(n int) {
		w.until("the bot's answer to "+text, func() bool {
			return len(slices.DeleteFunc(w.telegram.Messages(writer.ID), func(m telegram.Message) bool { return !m.From.IsBot })) >= n
		})
	}
	before := len(slices.DeleteFunc(w.telegram.Messages(writer.ID), func(m telegram.Message) bool { return !m.From.IsBot }))
	say("/feedback")
	answers(before + 1)
	say("/skip")
	answers(before + 2)
	for _, m := range slices.Backward(w.telegram.Messages(writer.ID)) {
		if len(m.Buttons) > 0 {
			_, err := w.telegram.Press(writer.ID, m.ID, m.Buttons[0][0].CallbackData, writer)
			must(w.t, err)
			break
		}
	}
	answers(before + 3)
	say(text)
	return w.post(text)
}

// Statuses and replies go both ways, and the site has the tickets of direct messages too.
func TestBothWays(t *testing.T) {
	w := newWorld(t, plan{kind: Portal})
	w.connected()
	m := w.one(1)
	w.press(m, ticket.StatusInProgress)
	w.siteHas("the button's status", "[1]", has(ticket.StatusInProgress))
	w.reply(m, "We look into it.")
	staff := [2]string{"staff", "We look into it."}
	w.siteHas("the staff's reply", "[1]", has(ticket.StatusReplied, staff))
	w.act("[1]", "--add", "It happens on Mondays.")
	w.groupHas(m, "It happens on Mondays.")
	w.act("[1]", "--reply", "Mended <now> & for good.")
	w.groupHas(m, "Mended <now> & for good.")
	w.act("[1]", "--status", "closed")
	w.postShows(m, ticket.StatusClosed)
	w.siteHas("all of it", "[1]", has(ticket.StatusClosed, staff, [2]string{"user", "It happens on Mondays."}, [2]string{"staff", "Mended <now> & for good."}))

	m = w.direct("[2] I found a bug & wrote <b>directly</b>.")
	w.siteHas("the ticket of a direct message", "[2]", func(e entry) bool {
		return e.Source == "telegram" && e.TelegramSent && e.TicketID == ticketOf.FindString(m.Text)
	})
	w.act("[2]", "--reply", "Found it, thank you.")
	w.groupHas(m, "Found it, thank you.")
	w.until("the author has the site's reply", func() bool {
		return slices.ContainsFunc(w.telegram.Messages(writer.ID), func(m telegram.Message) bool { return strings.Contains(m.Text, "Found it, thank you.") })
	})
}

// What is done on one side while the other one is away arrives when it is back, once.
func TestWhileTheOtherIsAway(t *testing.T) {
	w := newWorld(t, plan{kind: Portal})
	w.connected()
	first, second := w.one(1), w.one(2)
	w.siteHas("the ticket", "[2]", func(e entry) bool { return e.TelegramSent })
	must(t, w.site.Kill())
	w.press(first, ticket.StatusRead)
	w.postShows(first, ticket.StatusRead)
	w.press(first, ticket.StatusInProgress)
	w.reply(second, "While you were away.")
	direct := w.direct("[3] Written while the site was away.")
	w.killBot()
	must(t, w.bot.Start())
	w.startSite()
	staff := [2]string{"staff", "While you were away."}
	w.siteHas("the last status", "[1]", has(ticket.StatusInProgress))
	w.siteHas("the reply, once", "[2]", has(ticket.StatusReplied, staff))
	w.siteHas("the ticket", "[3]", func(e entry) bool { return e.TicketID == ticketOf.FindString(direct.Text) })

	w.until("the bot is connected", w.isConnected)
	w.killBot()
	w.act("[1]", "--status", "closed")
	w.act("[2]", "--reply", "And while the bot was.")
	w.act("[2]", "--add", "Me too.")
	must(t, w.site.Kill())
	w.startSite()
	must(t, w.bot.Start())
	w.postShows(first, ticket.StatusClosed)
	w.groupHas(second, "And while the bot was.")
	w.groupHas(second, "Me too.")
	w.siteHas("everything, once", "[2]", has(ticket.StatusReplied, staff, [2]string{"staff", "And while the bot was."}, [2]string{"user", "Me too."}))
}

// A site that learns version 2, unlearns it and learns it again loses nothing, and neither does one whose bot does.
func TestUpAndDowngrade(t *testing.T) {
	w := newWorld(t, plan{kind: Portal})
	speak := func(protocols string) {
		must(t, w.site.Kill())
		w.site.Environment = append(w.site.Environment, "FEEDBACK_BRIDGE_PROTOCOLS="+protocols)
		w.startSite()
	}
	speak("v1")
	w.connected()
	first := w.one(1)
	w.siteHas("the ticket by version 1", "[1]", func(e entry) bool { return e.TelegramSent })
	w.press(first, ticket.StatusInProgress)
	w.postShows(first, ticket.StatusInProgress)
	speak("v2,v1")
	w.siteHas("the status that version 1 could not carry", "[1]", has(ticket.StatusInProgress))
	second := w.one(2)
	w.act("[2]", "--reply", "By version 2.")
	w.groupHas(second, "By version 2.")
	speak("v1")
	third := w.one(3)
	w.act("[3]", "--reply", "It has to wait.")
	w.siteHas("the ticket by version 1 again", "[3]", func(e entry) bool { return e.TelegramSent })
	for _, protocol := range []string{"V1", "Auto"} {
		w.killBot()
		w.botConfig.Protocol = protocol
		must(t, w.bot.Configure(w.botConfig))
		speak("v2,v1")
		must(t, w.bot.Start())
		w.until("the bot connects", w.isConnected)
		if n := len(w.posts("[3]")); n != 1 {
			t.Errorf("feedback 3 was posted %d times", n)
		}
	}
	w.groupHas(third, "It has to wait.")
	for _, mark := range []string{"[1]", "[2]", "[3]"} {
		if n := len(w.posts(mark)); n != 1 {
			t.Errorf("feedback %s was posted %d times", mark, n)
		}
	}
}
