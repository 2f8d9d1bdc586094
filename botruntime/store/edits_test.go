// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"testing"
)

// A reply is edited before it was sent: nobody knows its number yet.
func TestAnEditOfWhatWaitsComesBehindIt(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		inTx(t, s, func(tx Tx) error { _, err := tx.AddTicket(direct("text"), epoch); return err })
		advance(t, s, group, sent(advance(t, s, group, nil, true), 70), false)
		reply := func(id int64) {
			t.Helper()
			inTx(t, s, func(tx Tx) error {
				return errors.Join(tx.LinkMessage(Link{ChatID: group, MessageID: id, Ticket: "ticket_tg_1", PeerChatID: author, At: epoch}),
					tx.Send(Outgoing{ChatID: author, Payload: []byte("old"), FromChatID: group, FromMessageID: id, Ticket: "ticket_tg_1"}))
			})
			for _, words := range []string{"better", "best"} {
				inTx(t, s, func(tx Tx) error {
					return tx.Edit(Edit{ChatID: author, FromChatID: group, FromMessageID: id, Payload: []byte(words)})
				})
			}
		}
		reply(80)
		job := advance(t, s, author, nil, true)
		if job.Kind != JobMessage || string(job.Payload) != "old" {
			t.Fatalf("first comes %+v", job)
		}
		job = advance(t, s, author, sent(job, 9), true)
		if job == nil || job.Kind != JobEdit || job.MessageID != 9 || string(job.Payload) != "best" {
			t.Fatalf("then comes %+v", job)
		}
		if job = advance(t, s, author, sent(job, 9), true); job != nil {
			t.Errorf("in the end comes %+v", job)
		}
		reply(81)
		job = advance(t, s, author, nil, true)
		if job = advance(t, s, author, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "blocked", At: epoch}, true); job != nil {
			t.Errorf("of what was refused, this is edited: %+v", job)
		}
	})
}
