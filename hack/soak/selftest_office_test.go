// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"slices"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// The judge's test where the staff has an office: topics, a group that moved, bans.
func TestTheJudgeSeesWhatGoesWrongInAnOffice(t *testing.T) {
	w := newOffice(t, "", 0) // PerTicket
	seen := newWatch(w.telegram)
	topic := func(name string) int {
		thread, err := w.telegram.AddTopic(group, name)
		must(t, err)
		return thread
	}
	posted := func(chat int64, thread int, text string) {
		_, err := w.telegram.AddMessage(telegram.Message{ChatID: chat, ThreadID: thread, Text: text,
			Buttons: [][]telegram.Button{{{Text: "Read", CallbackData: "x"}}, {{Text: "Closed", CallbackData: "y"}}}})
		must(t, err)
	}
	book := &ledger{histories: map[string]*history{"ticket_tg_1": {changes: []change{{ticket.StatusClosed, "@a"}}}}, outlawed: 1}
	first := topic("ticket_tg_1 · Ann")
	posted(group, first, "ticket_tg_1 soakC1a soakC1z #bug #closed") // and its topic is open
	posted(group, first, "ticket_tg_2 soakC2a soakC2z #bug #new")    // in another's topic
	posted(group, 0, "ticket_tg_3 soakC3a soakC3z #bug #new")        // in none
	topic("ticket_tg_4 · Ben")                                       // empty
	posted(asked, 0, "ticket_tg_5 soakC5a soakC5z #question #new")
	w.migrate(book)
	posted(grown, 0, "ticket_tg_6 soakC6a soakB1a #question #new") // of somebody who is banned
	seen.scan()
	if len(seen.all()) != 5 || seen.lastPost("ticket_tg_6").chat != grown {
		t.Fatalf("the watch sees %+v", seen.all())
	}
	j := &judge{w: w, book: book, seen: seen}
	j.judgeTopics()
	j.judgeBans()
	for _, want := range []string{"the topic of ticket_tg_1, which is closed: closed is false", "ticket_tg_2 (ticket_tg_2) is in topic",
		"ticket_tg_3 (ticket_tg_3) is in topic 0", "topics are empty", "message 1 of somebody who is banned"} {
		if !slices.ContainsFunc(w.failures, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("the judge does not say %q", want)
		}
	}
	if j.shows("ticket_tg_6", ticket.StatusRead) || !j.shows("ticket_tg_5", ticket.StatusRead) {
		t.Error("the judge looks at statuses in the group that was, or not in the supergroup")
	}
	r := &reply{ticket: "ticket_tg_1", own: place{group, 77}}
	if seen.saidLost(r) {
		t.Error("the judge takes a reply to be said to be lost")
	}
}
