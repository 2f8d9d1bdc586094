// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"slices"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// The judge's own test: with no bot there, the test plays one that makes every mistake.
func TestTheJudgeSeesEveryLoss(t *testing.T) {
	w := newWorld(t, "")
	seen := newWatch(w.telegram)
	site := &siteFeedback{w: w, seen: seen, dice: lane(1, "feedback", 0)}
	site.send(2)
	says := func(chat int64, text string, buttons bool) int {
		m := telegram.Message{ChatID: chat, Text: text}
		if buttons {
			m.Buttons = [][]telegram.Button{{{Text: "Read", CallbackData: "x"}}, {{Text: "Closed", CallbackData: "y"}}}
		}
		id, err := w.telegram.AddMessage(m)
		must(t, err)
		return id
	}
	_, err := w.telegram.Say(visitor.ID, "/start", visitor)
	must(t, err)
	says(group, "ticket_site_1\nsoakS1a soakS1z #new", true)
	says(group, "ticket_site_1\nsoakS1a soakS1z #new", true) // again, and not a word
	says(group, "ticket_tg_1\nsoakC1a soakC1z #wish #new", true)
	says(group, "Who am I?", false)
	says(visitor.ID, "ticket_tg_1: soakR1a soakR1z", false)
	says(visitor.ID, "ticket_tg_1: soakR1a soakR1z", false)
	book := &ledger{histories: map[string]*history{"ticket_tg_1": {changes: []change{{ticket.StatusClosed, "@support_desk"}}}},
		conversations: []*conversation{{number: 1, who: visitor.ID, category: "bug", name: "ticket_tg_1", files: []string{"soak-file-1"}},
			{number: 2, who: visitor.ID, category: "bug", name: "ticket_tg_2"}},
		additions: []*addition{{kind: 'A', number: 1, who: visitor.ID, ticket: "ticket_tg_1"}, {kind: 'E', number: 2, who: visitor.ID, ticket: "ticket_tg_1"}},
		replies:   []*reply{{number: 1, ticket: "ticket_tg_1", to: visitor.ID, files: []string{"soak-file-2"}}, {number: 2, ticket: "ticket_tg_1", to: visitor.ID}}}
	seen.scan()
	j := &judge{w: w, site: site, book: book, seen: seen}
	j.all()
	for _, want := range []string{
		"feedback 1 came 2 times, 2 of them without a word", "the result of feedback 1 is lost", "feedback 2 is lost",
		"should be about bug", "file soak-file-1 of the ticket of conversation 1 (ticket_tg_1) is lost", "the ticket of conversation 2 (ticket_tg_2) is lost",
		"nobody can explain", "reply 1 to ticket_tg_1 came 2 times", "file soak-file-2 of reply 1 to ticket_tg_1 is lost", "reply 2 to ticket_tg_1 is lost", "addition 2 to ticket_tg_1 is lost",
		"the status of ticket_tg_1 is lost", "where 0 kills and lost answers can explain",
	} {
		if !slices.ContainsFunc(w.failures, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("the judge does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(w.failures, "\n"))
	}
}

// Its events, too.
func TestTheJudgeSeesWhatTheSiteWouldNotHear(t *testing.T) {
	w := newWorld(t, "")
	seen := newWatch(w.telegram)
	j := &judge{w: w, seen: seen, book: &ledger{
		histories:     map[string]*history{"ticket_tg_1": {changes: []change{{ticket.StatusRead, "@a"}, {ticket.StatusClosed, "@a"}}}},
		conversations: []*conversation{{number: 1}}, replies: []*reply{{number: 1, ticket: "ticket_tg_1"}},
		additions: []*addition{{kind: 'E', number: 1}}}}
	j.judgeEvents([]kept{{kind: "created", text: "soakC1a"}, {kind: "created", text: "soakC1a"}, {kind: "status", ticket: "ticket_tg_1", status: "closed", actor: "@a"}})
	if len(w.failures) != 4 {
		t.Errorf("the judge sees %q, not two events too few, one too many and a status left out", w.failures)
	}
}
