// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// keptFiles are the numbers of the files that are kept.
func keptFiles(t testing.TB, s *Store) (seqs []int64) {
	t.Helper()
	seqs, err := read(t.Context(), s, scanOne[int64], `SELECT seq FROM files ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	return seqs
}

// A file follows its ticket's post with its content, over restarts too, and is forgotten once its job has ended.
func TestFilesFollowTheirTicketsPost(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		content := bytes.Repeat([]byte{0, 1, 0xff}, 100_000)
		inTx(t, s, func(tx Tx) error {
			name, err := tx.AddTicket(direct("with files"), epoch)
			return errors.Join(err,
				tx.Send(Outgoing{File: true, Content: content, Payload: []byte("first"), Ticket: name}),
				tx.Send(Outgoing{File: true, Payload: []byte("at an address"), Ticket: name}),
				tx.Send(Outgoing{File: true, Content: []byte("x"), Payload: []byte("last"), Ticket: name,
					IfRefused: []Outgoing{{Ticket: name, Payload: []byte("not taken")}}}))
		})
		s = l.reopen(s)
		if s.memory.files != len(content)+1 {
			t.Errorf("%d bytes of files wait", s.memory.files)
		}
		job := advance(t, s, group, nil, true)
		job = advance(t, s, group, sent(job, 70), true)
		if job.Kind != JobFile || !bytes.Equal(job.Content, content) || job.ReplyTo != 70 || job.Ticket.ID != "ticket_tg_1" {
			t.Fatalf("job: %v %q to %d, %d bytes", job.Kind, job.Payload, job.ReplyTo, len(job.Content))
		}
		s = l.reopen(s) // while it is sent
		if job = advance(t, s, group, nil, true); !job.MaybeSent || !bytes.Equal(job.Content, content) {
			t.Fatalf("after a restart: %v, %d bytes", job.MaybeSent, len(job.Content))
		}
		if job = advance(t, s, group, sent(job, 71), true); string(job.Payload) != "at an address" || job.Content != nil {
			t.Fatalf("job: %q, %d bytes", job.Payload, len(job.Content))
		}
		if linkOf(t, s, group, 71) != "ticket_tg_1 0/0" {
			t.Error("a file is not linked to its ticket")
		}
		if job = advance(t, s, group, sent(job, 72), true); string(job.Content) != "x" {
			t.Fatalf("job: %q, %q", job.Payload, job.Content)
		}
		job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "no", At: epoch}, true)
		if job == nil || string(job.Payload) != "not taken" {
			t.Fatalf("what follows from the refusal: %+v", job)
		}
		if left := keptFiles(t, s); len(left) != 0 || s.memory.files != 0 {
			t.Errorf("files are left: %v, %d bytes", left, s.memory.files)
		}
	})
}

// Somebody who takes nothing at all is told of once: by the message that the files follow.
func TestFilesForSomebodyWhoBlockedTheBot(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		addDirect(t, s, 70)
		inTx(t, s, func(tx Tx) error {
			then := []Outgoing{{Ticket: "ticket_tg_1", Payload: []byte("not delivered")}}
			return errors.Join(tx.Send(Outgoing{ChatID: author, Payload: []byte("answer"), Ticket: "ticket_tg_1", IfRefused: then}),
				tx.Send(Outgoing{ChatID: author, File: true, Content: []byte("x"), Ticket: "ticket_tg_1", IfRefused: then}))
		})
		blocked := func(job *Job) *Outcome {
			return &Outcome{Seq: job.Seq, Kind: Refused, Failure: "blocked", Unreachable: true, At: epoch}
		}
		job := advance(t, s, author, nil, true)
		job = advance(t, s, author, blocked(job), true)
		advance(t, s, author, blocked(job), false)
		if job = advance(t, s, group, nil, true); string(job.Payload) != "not delivered" {
			t.Fatalf("job: %+v", job)
		}
		if more := advance(t, s, group, sent(job, 80), true); more != nil {
			t.Errorf("one more: %+v", more)
		}
	})
}

// Files that would fill the disk are not kept; what goes with them is.
func TestRoomForFiles(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		addDirect(t, s, 70)
		s.memory.files = maxFiles - 1
		inTx(t, s, func(tx Tx) error {
			if err := tx.Send(Outgoing{File: true, Content: []byte("xy"), Ticket: "ticket_tg_1"}); !errors.Is(err, ErrNoRoom) {
				t.Errorf("one too many: %v", err)
			}
			return tx.Send(Outgoing{Payload: []byte("a message"), Ticket: "ticket_tg_1"})
		})
		if job := advance(t, s, group, nil, true); job == nil || job.Kind != JobMessage {
			t.Errorf("job: %+v", job)
		}
	})
}

// A ticket that is forgotten takes the files along that waited for its post.
func TestFilesOfForgottenTickets(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		now := epoch
		l.opts.Now = func() time.Time { return now }
		s := l.open()
		inTx(t, s, func(tx Tx) error {
			name, err := tx.AddTicket(direct("refused"), epoch)
			return errors.Join(err, tx.Send(Outgoing{File: true, Content: []byte("xyz"), Ticket: name}))
		})
		inTx(t, s, func(tx Tx) error {
			name, err := tx.AddTicket(direct("waits"), epoch)
			return errors.Join(err, tx.Send(Outgoing{File: true, Content: []byte("ab"), Ticket: name}))
		})
		job := advance(t, s, group, nil, true)
		advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "no", At: epoch}, false)
		now = now.Add(100 * day)
		for range 2 { // the first one does not believe the clock
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if left := keptFiles(t, s); len(left) != 1 || s.memory.files != 2 {
			t.Errorf("files are left: %v, %d bytes", left, s.memory.files)
		}
	})
}

// What the site sent, and waits for a chat that the staff has left, goes to where the staff is.
func TestFilesThatWaitFollowTheStaff(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.opts.Chats = []int64{group}
		s := l.open()
		name := addDirect(t, s, 70)
		inTx(t, s, func(tx Tx) error {
			return errors.Join(tx.Send(Outgoing{Ticket: name, Payload: []byte("an answer at the site")}),
				tx.Send(Outgoing{Ticket: name, File: true, Content: []byte("x")}))
		})
		s = l.moves(s)
		job := advance(t, s, elsewhere, nil, true)
		if job == nil || string(job.Payload) != "an answer at the site" || job.ThreadID != 7 || job.ReplyTo != 0 {
			t.Fatalf("elsewhere: %+v", job)
		}
		if job = advance(t, s, elsewhere, sent(job, 1), true); job == nil || string(job.Content) != "x" {
			t.Errorf("elsewhere: %+v", job)
		}
	})
}
