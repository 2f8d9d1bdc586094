// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// What was sent of a long post is not forgotten with the process, and a post that is claimed again says whether more of it may
// have been sent.
func TestAPostKeepsHowFarItGot(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		wants := func(when string, job *Job, progress string, maybeSent bool) {
			t.Helper()
			if job == nil || job.Ticket.ID != "ticket_site_1" || string(job.Payload) != progress || job.MaybeSent != maybeSent {
				t.Fatalf("%s: %+v", when, job)
			}
		}
		advance(t, s, group, nil, true)
		s = l.reopen(s) // nobody knows what was sent
		job := advance(t, s, group, nil, true)
		wants("claimed again", job, "", true)
		job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Released, Progress: []byte("one part")}, true)
		wants("after one part", job, "one part", false)
		advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Released, Progress: []byte("two parts")}, false)
		s = l.reopen(s)
		wants("after a restart", advance(t, s, group, nil, true), "two parts", false)
		s = l.reopen(s)
		wants("claimed once more", advance(t, s, group, nil, true), "two parts", true)
	})
}

func TestTopicsOfAChatAreCounted(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.opts.Topic = func(t ticket.Ticket) string { return t.Category }
		s := l.open()
		for i, tc := range []struct {
			topic  string
			topics int
		}{{"ticket:ticket_site_1", 0}, {"category:a", 0}, {"category:b", 1}, {"category:c", 2}, {"category:a", 0}} {
			r := request(fmt.Sprint(i), int64(i+1))
			r.Ticket.Category = tc.topic
			admit(t, s, r)
			job := advance(t, s, group, nil, true)
			if job.Topics != tc.topics {
				t.Errorf("%d: the chat has %d topics, want %d", i, job.Topics, tc.topics)
			}
			done := sent(job, int64(10+i))
			done.ThreadID = int64(100 + i)
			advance(t, s, group, done, false)
		}
	})
}

// What people add takes its turn with the tickets; answers to those who wait for one come first.
func TestAdditionsTakeTheirTurn(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		addDirect(t, s, 70)
		add := func(n int64) {
			inTx(t, s, func(tx Tx) error {
				return errors.Join(tx.Send(Outgoing{Ticket: "ticket_tg_1", FromChatID: author, FromMessageID: n, Payload: []byte(fmt.Sprint("addition ", n))}),
					tx.Send(Outgoing{ChatID: group, ReplyTo: 70, Ticket: "ticket_tg_1", FromChatID: author, FromMessageID: 100 + n, Payload: []byte(fmt.Sprint("answer ", n))}))
			})
		}
		add(1)
		admit(t, s, request("a", 1))
		add(2)
		inTx(t, s, func(tx Tx) error { return tx.Send(Outgoing{ChatID: group, Payload: []byte("the list")}) })
		s = l.reopen(s)
		var done *Outcome
		for i, want := range []string{"the list", "addition 1", "answer 1", "ticket_site_1", "addition 2", "answer 2"} {
			job := advance(t, s, group, done, true)
			if job == nil {
				t.Fatalf("nothing waits, want %q", want)
			}
			if got := string(job.Payload); got != want && job.Ticket.ID != want {
				t.Errorf("%d: %q (%s), want %q", i, got, job.Ticket.ID, want)
			}
			done = sent(job, int64(200+i))
		}
		if job := advance(t, s, group, done, true); job != nil {
			t.Errorf("and then %+v", job)
		}
	})
}
