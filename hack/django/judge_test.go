// SPDX-License-Identifier: Apache-2.0

package django

import (
	"regexp"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

var (
	markOf   = regexp.MustCompile(`\[\d+\]`)
	ticketOf = regexp.MustCompile(`ticket_(site|tg)_\d+`)
)

// reporter is told what is wrong.
type reporter interface {
	Errorf(format string, args ...any)
}

// judge compares what became of transactions with what the site and the group have. A post may have come again once for each time that
// the bot was killed, and then it says so.
func judge(t reporter, outcomes []outcome, entries []entry, posts []telegram.Message, botKills int) {
	byMark := map[string][]telegram.Message{}
	for _, p := range posts {
		if mark := markOf.FindString(p.Text); mark != "" && p.From.IsBot {
			byMark[mark] = append(byMark[mark], p)
		}
	}
	atSite := map[string][]entry{}
	for _, e := range entries {
		mark := markOf.FindString(e.Message)
		atSite[mark] = append(atSite[mark], e)
	}
	owner, repeats := map[string]string{}, 0
	for _, o := range outcomes {
		mark := o.mark()
		if o.Raised != "" {
			t.Errorf("creating feedback %s failed: %s", mark, o.Raised)
		}
		if !o.Committed {
			if len(atSite[mark])+len(byMark[mark]) > 0 {
				t.Errorf("%s was rolled back: the site has %d, the group %d", mark, len(atSite[mark]), len(byMark[mark]))
			}
			continue
		}
		if len(atSite[mark]) != 1 || len(byMark[mark]) == 0 {
			t.Errorf("%s was committed: the site has %d, the group %d", mark, len(atSite[mark]), len(byMark[mark]))
			continue
		}
		ticket := atSite[mark][0].TicketID
		if !atSite[mark][0].TelegramSent || ticket == "" || owner[ticket] != "" {
			t.Errorf("%s: %+v, whose ticket is also %q's", mark, atSite[mark][0], owner[ticket])
		}
		owner[ticket] = mark
		repeats += judgePosts(t, mark, ticket, byMark[mark])
	}
	if repeats > botKills {
		t.Errorf("%d posts came again, and the bot was killed %d times", repeats, botKills)
	}
	if len(entries) != len(owner) {
		t.Errorf("the site has %d feedbacks, %d were committed", len(entries), len(owner))
	}
}

// judgePosts judges those of one feedback, and returns how many are repeats.
func judgePosts(t reporter, mark, ticket string, posts []telegram.Message) (repeats int) {
	for i, p := range posts {
		if name := ticketOf.FindString(p.Text); name != ticket {
			t.Errorf("%s is %q at the site, and %q in the group", mark, ticket, name)
		}
		if i == 0 {
			continue
		}
		repeats++
		if !strings.Contains(p.Text, "may be a repeat") {
			t.Errorf("%s came again without a word", mark)
		}
	}
	return repeats
}

// findings counts what a judge finds.
type findings int

func (f *findings) Errorf(string, ...any) { *f++ }

// The judge's own test: it finds each thing that may go wrong.
func TestJudge(t *testing.T) {
	post := func(text string) telegram.Message {
		return telegram.Message{Text: text, From: telegram.User{IsBot: true}}
	}
	done, undone := outcome{Number: 1, Committed: true}, outcome{Number: 1}
	at := entry{ID: 5, Message: "[1] x", TelegramSent: true, TicketID: "ticket_site_5"}
	unsent, nameless := at, at
	unsent.TelegramSent, nameless.TicketID = false, ""
	good, again := post("ticket_site_5 [1]"), post("may be a repeat ticket_site_5 [1]")
	for name, c := range map[string]struct {
		outcome outcome
		entries []entry
		posts   []telegram.Message
		kills   int
		good    bool
	}{
		"as it should be":          {done, []entry{at}, []telegram.Message{good}, 0, true},
		"a repeat of a killed bot": {done, []entry{at}, []telegram.Message{good, again}, 1, true},
		"undone":                   {undone, nil, nil, 0, true},
		"a repeat without a kill":  {done, []entry{at}, []telegram.Message{good, again}, 0, false},
		"a repeat without a word":  {done, []entry{at}, []telegram.Message{good, good}, 1, false},
		"lost":                     {done, []entry{at}, nil, 0, false},
		"lost at the site":         {done, nil, []telegram.Message{good}, 0, false},
		"not confirmed":            {done, []entry{unsent}, []telegram.Message{good}, 0, false},
		"without a ticket":         {done, []entry{nameless}, []telegram.Message{good}, 0, false},
		"another ticket":           {done, []entry{at}, []telegram.Message{post("ticket_site_6 [1]")}, 0, false},
		"undone, and posted":       {undone, nil, []telegram.Message{good}, 0, false},
		"undone, and at the site":  {undone, []entry{at}, nil, 0, false},
		"raised":                   {outcome{Number: 1, Raised: "x"}, nil, nil, 0, false},
	} {
		var found findings
		if judge(&found, []outcome{c.outcome}, c.entries, c.posts, c.kills); (found == 0) != c.good {
			t.Errorf("%s: %d findings", name, found)
		}
	}
}
