// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"testing"
)

const elsewhere = -2002

// moves has the staff leave the group for a topic elsewhere.
func (l *lab) moves(s *Store) *Store {
	l.Helper()
	l.opts.Chats = []int64{elsewhere}
	l.opts.Route = func(string) (chatID, threadID int64) { return elsewhere, 7 }
	return l.reopen(s)
}

func TestMessagesFollowTheStaff(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.opts.Chats = []int64{group}
		s := l.open()
		name := addDirect(t, s, 70)
		more := func(tx Tx) error {
			return tx.Send(Outgoing{Ticket: name, FromChatID: author, FromMessageID: 3, Payload: []byte("more")})
		}
		inTx(t, s, more)
		job := advance(t, s, group, nil, true)
		if job == nil || job.ReplyTo != 70 {
			t.Fatalf("in the group: %+v", job)
		}
		advance(t, s, group, sent(job, 71), false)
		s = l.moves(s)
		inTx(t, s, more)
		if job := advance(t, s, elsewhere, nil, true); job == nil || job.ThreadID != 7 || job.ReplyTo != 0 || string(job.Payload) != "more" {
			t.Errorf("elsewhere: %+v", job)
		}
	})
}

// Of what waited for the old chat, what people wrote goes to the new one. The bot's answers to those who are in the old one
// do not.
func TestMessagesThatWaitFollowTheStaff(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		const additions = sweepRows + 2
		l.opts.Chats = []int64{group}
		s := l.open()
		name := addDirect(t, s, 70)
		inTx(t, s, func(tx Tx) error {
			for i := range additions {
				m := Outgoing{ChatID: group, Ticket: name, FromChatID: author, FromMessageID: 3, ReplyTo: 71, Payload: []byte("not copied")}
				m.IfRefused = []Outgoing{m}
				m.Payload = fmt.Append(nil, i)
				if err := tx.Send(m); err != nil {
					return err
				}
			}
			return tx.Send(Outgoing{ChatID: group, Ticket: name, ReplyTo: 72, Payload: []byte("an answer")})
		})
		s = l.moves(s)
		job := advance(t, s, elsewhere, nil, true)
		for i := range additions {
			if job == nil || string(job.Payload) != fmt.Sprint(i) || job.ThreadID != 7 || job.ReplyTo != 0 {
				t.Fatalf("addition %d: %+v", i, job)
			}
			done := sent(job, int64(80+i))
			if i == 0 {
				done = &Outcome{Seq: job.Seq, Kind: Refused, Failure: "no", At: epoch}
			}
			job = advance(t, s, elsewhere, done, true)
		}
		if job == nil || string(job.Payload) != "not copied" || job.ReplyTo != 0 {
			t.Fatalf("what follows from a refusal: %+v", job)
		}
		if job := advance(t, s, elsewhere, sent(job, 1), true); job != nil {
			t.Errorf("elsewhere is one more: %+v", job)
		}
		if job := advance(t, s, group, nil, true); job == nil || string(job.Payload) != "an answer" || job.ReplyTo != 72 {
			t.Errorf("in the group: %+v", job)
		}
	})
}
