// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// These are the faults of the bot that this one takes the place of, one test each, by their numbers, with the real program.

var (
	support = telegram.User{ID: 1001, FirstName: "Support", Username: "support_desk", LanguageCode: "en"}
	visitor = telegram.User{ID: 7001, FirstName: "Visitor", Username: "visitor", LanguageCode: "en"}
)

// withBot is a world with a bot that is connected.
func withBot(t *testing.T, edits ...string) *world {
	t.Helper()
	w := newWorld(t, "", edits...)
	w.startBot()
	w.connected(1)
	return w
}

func (w *world) connected(connections int64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second*slowness)
	defer cancel()
	if err := w.site.WaitConnection(ctx, connections); err != nil {
		w.t.Fatalf("the bot does not connect: %v\n%s", err, tail(w.logFile()))
	}
}

// feed sends a feedback with a text; data are further fields.
func (w *world) feed(number int, text string, data ...string) string {
	w.t.Helper()
	body := map[string]any{"feedback_id": number, "category": "bug", "message": text}
	for i := 0; i < len(data); i += 2 {
		body[data[i]] = data[i+1]
	}
	id, err := w.site.Send(body)
	must(w.t, err)
	return id
}

func (w *world) result(id string) simsite.Result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute*slowness)
	defer cancel()
	r, err := w.site.WaitResult(ctx, id)
	if err != nil {
		sent, _ := w.site.Sent(id)
		w.t.Fatalf("no result: %v, %+v\n%s", err, sent, tail(w.logFile()))
	}
	return r
}

// until waits for something to be so.
func (w *world) until(what string, met func() bool) {
	w.t.Helper()
	if !poll(30*time.Second*slowness, met) {
		w.t.Fatalf("in vain: %s\n%s", what, tail(w.logFile()))
	}
}

func (w *world) posts() []telegram.Message { return w.telegram.Messages(group) }

func (w *world) fault(faults ...telegram.Fault) {
	w.t.Helper()
	must(w.t, w.telegram.SetFaults(faults...))
}

// 1: a 429 drops the post, which is answered with ok all the same.
func TestFault01A429DropsNothing(t *testing.T) {
	w := withBot(t)
	w.fault(telegram.Fault{Kind: telegram.FaultTooManyRequests, Methods: []string{"sendMessage"}, Times: 1, RetryAfter: 2})
	id := w.feed(1, "Too many")
	w.until("Telegram refuses", func() bool { return w.telegram.Stats().TooManyRequests > 0 })
	if sent, _ := w.site.Sent(id); sent.Result != nil {
		t.Errorf("answered before it was posted: %+v", *sent.Result)
	}
	r := w.result(id)
	if m, ok := w.telegram.Message(group, int(r.MessageID)); !r.OK || !ok || !strings.Contains(m.Text, "Too many") {
		t.Errorf("result %+v, message %q", r, m.Text)
	}
	if took := time.Duration(r.Latency); took < 2*time.Second {
		t.Errorf("posted after %s: Telegram asked for two seconds", took)
	}
}

// 2: a result that cannot be sent is lost.
func TestFault02AResultThatCannotBeSentIsKept(t *testing.T) {
	w := withBot(t)
	w.fault(telegram.Fault{Kind: telegram.FaultDelay, Methods: []string{"sendMessage"}, DelayMillis: 1000})
	id := w.feed(1, "No way back")
	w.until("the post is on its way", func() bool { return w.telegram.Stats().Faults[string(telegram.FaultDelay)] > 0 })
	w.site.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: 503}})
	w.site.Drop()
	w.until("it is posted", func() bool { return len(w.posts()) == 1 })
	w.kill() // and it is not only kept in memory
	w.site.SetFaults(simsite.Faults{})
	w.fault()
	w.startBot()
	if r := w.result(id); !r.OK || r.MessageID == 0 {
		t.Errorf("result: %+v", r)
	}
	if sent, _ := w.site.Sent(id); sent.Frames != 1 {
		t.Errorf("the site had to send it %d times", sent.Frames)
	}
}

// 3: a feedback that comes twice is posted twice, and a captured frame can be replayed.
func TestFault03WhatComesTwiceIsPostedOnce(t *testing.T) {
	w := withBot(t)
	data := json.RawMessage(`{"feedback_id": 1, "category": "bug", "message": "Once"}`)
	id, err := w.site.SendOut(simsite.Outgoing{Data: data, Nonce: "one-nonce", Repeat: 3})
	must(t, err)
	if r := w.result(id); !r.OK {
		t.Fatalf("result: %+v", r)
	}
	_, err = w.site.SendOut(simsite.Outgoing{ID: id, Data: data}) // sent again, as a site does that got no result
	must(t, err)
	other, err := w.site.SendOut(simsite.Outgoing{Data: data}) // under another id
	must(t, err)
	if r := w.result(other); !r.OK || r.TicketID != "ticket_site_1" {
		t.Errorf("the same feedback under another id: %+v", r)
	}
	replayed, err := w.site.SendOut(simsite.Outgoing{Data: json.RawMessage(`{"feedback_id": 2, "category": "bug", "message": "Replayed"}`), Nonce: "one-nonce"})
	must(t, err)
	if r := w.result(replayed); r.OK || r.Error != "Replayed nonce" {
		t.Errorf("a nonce that was used: %+v", r)
	}
	if posts := w.posts(); len(posts) != 1 {
		t.Errorf("%d posts, want 1", len(posts))
	}
}

// 4: names go into HTML unescaped.
func TestFault04NamesAreNoMarkup(t *testing.T) {
	w := withBot(t)
	name := `<b>Bob</b> & "Eve" <a href="https://evil.example">`
	r := w.result(w.feed(1, name, "nickname", name, "telegram_first_name", name, "telegram_username", "a<b"))
	m, _ := w.telegram.Message(group, int(r.MessageID))
	if !r.OK || strings.Count(m.Text, "<b>Bob</b> & \"Eve\"") != 3 {
		t.Errorf("result %+v:\n%s", r, m.Text)
	}
	for _, e := range m.Entities {
		if e.Type == "text_link" {
			t.Errorf("a link came in by a name: %+v", e)
		}
	}
}

// 5: a post of more than 4096 characters is refused.
func TestFault05ALongTextComesWhole(t *testing.T) {
	w := withBot(t)
	var text strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&text, "word%d<&>🎮 ", i)
	}
	r := w.result(w.feed(1, text.String()))
	if !r.OK {
		t.Fatalf("result: %+v", r)
	}
	var whole strings.Builder
	for _, m := range w.posts() {
		if int64(m.ID) != r.MessageID && int64(m.ReplyTo) != r.MessageID {
			t.Errorf("message %d replies to %d, not to the first part", m.ID, m.ReplyTo)
		}
		whole.WriteString(m.Text)
	}
	for i := range 1500 {
		if !strings.Contains(whole.String(), fmt.Sprintf("word%d<&>", i)) {
			t.Fatalf("word %d is missing in %d messages", i, len(w.posts()))
		}
	}
}

// 6: a status press loses the formatting or fails, works anywhere, and the site never hears of it.
func TestFault06APressKeepsTheFormatting(t *testing.T) {
	w := withBot(t)
	r := w.result(w.feed(1, "price < 5 & more"))
	before, _ := w.telegram.Message(group, int(r.MessageID))
	press := func(chat int64, message int) {
		_, err := w.telegram.PressForged(chat, message, ticket.CallbackData("ticket_site_1", ticket.StatusInProgress), support)
		must(t, err)
	}
	stranger := int64(-1009876543210)
	must(t, w.telegram.AddChat(telegram.Chat{ID: stranger, Type: telegram.Supergroup, Title: "Elsewhere", BotStatus: telegram.Administrator}))
	forged, err := w.telegram.AddMessage(telegram.Message{ChatID: stranger, Text: "ticket_site_1 #new"})
	must(t, err)
	press(stranger, forged)
	w.until("the press elsewhere is answered", func() bool { return w.telegram.Stats().Answered == 1 })
	if m, _ := w.telegram.Message(group, before.ID); m.Edited {
		t.Error("a press in another chat changed the post")
	}
	press(group, before.ID)
	var after telegram.Message
	w.until("the post shows the status", func() bool {
		after, _ = w.telegram.Message(group, before.ID)
		return strings.Contains(after.Text, "#in_progress")
	})
	if !strings.Contains(after.Text, "price < 5 & more") || strings.Contains(after.Text, "#new") || !strings.Contains(after.Text, "@support_desk") ||
		strings.Count(after.HTML(), "<b>") < strings.Count(before.HTML(), "<b>") || len(after.Buttons) != 2 {
		t.Errorf("before %s\nafter %s", before.HTML(), after.HTML())
	}
	w.stopBot()
	db, err := w.openStore()
	must(t, err)
	defer db.Close()
	events, err := readEvents(db)
	must(t, err)
	if want := (kept{kind: "status", ticket: "ticket_site_1", actor: "@support_desk", status: "in_progress"}); len(events) != 1 || events[0] != want {
		t.Errorf("kept for the site: %+v", events)
	}
	w.report()
}

// 7: a clean close leads to reconnects in a hot loop.
func TestFault07ReconnectsArePaced(t *testing.T) {
	w := withBot(t)
	w.site.SetFaults(simsite.Faults{CloseAtOnce: &simsite.Closing{Code: websocket.CloseNormalClosure}})
	w.site.CloseConnections(websocket.CloseNormalClosure, "")
	before := w.site.Opened()
	wait(t.Context().Done(), 10*time.Second)
	// Of ten seconds the waits of 0-1, 0-2, 0-4, 0-8... seconds leave room for a handful, and with luck for a few more.
	if n := w.site.Opened() - before; n < 1 || n > 15 {
		t.Errorf("%d connections in ten seconds", n)
	}
	w.site.SetFaults(simsite.Faults{})
	if r := w.result(w.feed(1, "Back again")); !r.OK {
		t.Errorf("result: %+v", r)
	}
}

// 8: token and JWT stand in the log.
func TestFault08TheLogHasNoSecrets(t *testing.T) {
	w := withBot(t, "  intake:", "  runtime: {logLevel: debug}\n  intake:")
	w.fault(telegram.Fault{Kind: telegram.FaultReset, Times: 3}, telegram.Fault{Kind: telegram.FaultBadGateway, Times: 2})
	w.site.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: 403, Times: 1}})
	w.site.Drop()
	w.until("the site refuses the bot once", func() bool { return w.site.Stats().Refused == 1 })
	if r := w.result(w.feed(1, "soakS1a: nobody else's business")); !r.OK {
		t.Errorf("result: %+v", r)
	}
	w.stopBot()
	log, err := os.ReadFile(w.logFile())
	must(t, err)
	if len(log) == 0 {
		t.Error("there is no log to look at")
	}
	(&judge{w: w}).judgeLog()
	w.report()
}

// 9: nothing says whether the site or Telegram is reachable.
func TestFault09HealthIsThatOfThePeers(t *testing.T) {
	w := withBot(t)
	probe := func(what string) error {
		return exec.CommandContext(t.Context(), w.binary, "probe", what, "--state", w.state()).Run()
	}
	w.until("the bot is ready", func() bool { return probe("ready") == nil })
	w.until("and reaches Telegram", func() bool {
		a, err := health.Ask(t.Context(), w.state())
		return err == nil && a.Report.Telegram.OK && a.Report.Site.OK
	})
	w.site.SetFaults(simsite.Faults{Refuse: &simsite.Refusal{Status: 503}})
	w.site.Drop()
	w.until("without its site it is not ready", func() bool { return probe("ready") != nil })
	if err := probe("live"); err != nil {
		t.Errorf("without its site it is not alive: %v", err)
	}
	w.telegram.SetToken("123456:ANOTHER-TOKEN")
	w.feed(1, "With a token that was revoked")
	w.site.SetFaults(simsite.Faults{})
	w.until("it says that Telegram refuses the token", func() bool {
		a, err := health.Ask(t.Context(), w.state())
		return err == nil && a.Report.Site.OK && !a.Report.Telegram.OK && a.Report.Telegram.Reason != ""
	})
}

// 10: conversations and updates are lost on a restart.
func TestFault10ConversationsSurviveRestarts(t *testing.T) {
	w := withBot(t)
	said := func(text string) (found telegram.Message) {
		w.until("the bot says "+text, func() bool {
			for _, m := range w.telegram.Messages(visitor.ID) {
				if m.From.IsBot && strings.Contains(m.Text, text) {
					found = m
					return true
				}
			}
			return false
		})
		return found
	}
	restarted := func(deed func()) {
		w.kill()
		deed()
		w.startBot()
	}
	write := func(text string) {
		_, err := w.telegram.Say(visitor.ID, text, visitor)
		must(t, err)
	}
	restarted(func() { write("/feedback") })
	said(texts.Direct.AskNickname)
	restarted(func() { write("Nick") })
	question := said(texts.Direct.AskCategory)
	restarted(func() {
		_, err := w.telegram.Press(visitor.ID, question.ID, "cat_wish", visitor)
		must(t, err)
	})
	said(askText)
	restarted(func() { write("All of it after four kills") })
	said("✅")
	w.until("the ticket is in the group", func() bool { return len(w.posts()) > 0 })
	if p := w.posts()[0]; !strings.Contains(p.Text, "All of it after four kills") || !strings.Contains(p.Text, "Nick") || !strings.Contains(p.Text, "#wish") {
		t.Errorf("the ticket:\n%s", p.Text)
	}
}

// 11: a slow call of Telegram's holds up everything, until the signatures of what waits have expired.
func TestFault11ASlowTelegramHoldsUpNobodyElse(t *testing.T) {
	w := withBot(t, "hmac: {", "hmac: {messageTTL: 5s, ")
	w.fault(telegram.Fault{Kind: telegram.FaultDelay, Methods: []string{"sendMessage"}, ChatID: group, DelayMillis: 150})
	const n = 60 // nine seconds of posts, when a frame is good for five
	var ids []string
	for i := range n {
		ids = append(ids, w.feed(i+1, "One of many"))
	}
	w.until("the group is busy", func() bool { return len(w.posts()) > 0 })
	_, err := w.telegram.Say(visitor.ID, "/help", visitor)
	must(t, err)
	w.until("a person is answered", func() bool { return len(w.telegram.Messages(visitor.ID)) > 1 })
	if done := len(w.posts()); done == n {
		t.Error("the person was answered after everything else")
	}
	for _, id := range ids {
		if r := w.result(id); !r.OK {
			t.Errorf("result: %+v", r)
		}
	}
	if s := w.site.Stats(); s.Frames != n {
		t.Errorf("the site sent %d frames for %d feedbacks", s.Frames, n)
	}
}
