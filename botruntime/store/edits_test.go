// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reply has the staff's message with a number wait for the author of ticket_tg_1, and then edited twice.
func reply(t *testing.T, s *Store, id int64) {
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

// A reply is edited before it was sent: nobody knows its number yet.
func TestAnEditOfWhatWaitsComesBehindIt(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		addDirect(t, s, 70)
		reply(t, s, 80)
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
		reply(t, s, 81)
		job = advance(t, s, author, nil, true)
		if job = advance(t, s, author, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "blocked", At: epoch}, true); job != nil {
			t.Errorf("of what was refused, this is edited: %+v", job)
		}
	})
}

// Of several replies that wait, each has its own edit.
func TestEditsOfRepliesThatWaitDoNotReplaceEachOther(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		addDirect(t, s, 70)
		reply(t, s, 80)
		reply(t, s, 82)
		var got []string
		for job := advance(t, s, author, nil, true); job != nil; job = advance(t, s, author, sent(job, 100+job.FromMessageID), true) {
			got = append(got, fmt.Sprintf("%s of %d: %s, at %d", job.Kind, job.FromMessageID, job.Payload, job.MessageID))
		}
		want := []string{"message of 80: old, at 0", "message of 82: old, at 0", "edit of 80: best, at 180", "edit of 82: best, at 182"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
