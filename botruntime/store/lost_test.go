// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// A power failure may undo that a ticket was posted, and that what waited for it followed.
func TestWhatFollowedAPostMayHaveBeenSentWithIt(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	if err := s.writer.write(t.Context(), func(tx *txn) error { return tx.set(counterBoot, bootID()+1) }); err != nil {
		t.Fatal(err)
	}
	inTx(t, s, func(tx Tx) error {
		name, err := tx.AddTicket(direct("with a file"), epoch)
		return errors.Join(err, tx.Send(Outgoing{Copy: true, FromChatID: author, FromMessageID: 10, Ticket: name}))
	})
	after := inDirectory(t)
	after.opts.Dir = copyFiles(t, l.opts.Dir)
	s = after.open()
	for _, kind := range []JobKind{JobPost, JobCopy} {
		job := advance(t, s, group, nil, true)
		if job == nil || job.Kind != kind || !job.MaybeSent {
			t.Fatalf("%s: %+v", kind, job)
		}
		advance(t, s, group, sent(job, 70), false)
	}
}

// A replica that took over may lack more than a server that crashed, but nothing where it knows that the bot had ended.
func TestAServerOfAnotherHistoryMayLackAnyNumberOfCommits(t *testing.T) {
	const waiting = 20
	of := func(t *testing.T) (*lab, *Store) {
		t.Helper()
		l := inSchema(t)
		s := l.open()
		if e, ok := s.engine.(*postgresEngine); !ok || e.history == 0 {
			t.Fatalf("the server does not say which it is: %+v", e)
		}
		for i := range int64(waiting) {
			admit(t, s, request(fmt.Sprint(i), i+1))
		}
		return l, s
	}
	another := func(t *testing.T, s *Store, ended bool) {
		t.Helper()
		if err := s.writer.write(t.Context(), func(tx *txn) error {
			if ended { // a replica that lagged from before the bot began
				if err := tx.set(counterBoot, 0); err != nil {
					return err
				}
			}
			return tx.set(counterHistory, 1)
		}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the same after a clean end", func(t *testing.T) {
		l, s := of(t)
		if names, n := claimed(t, l.reopen(s), group); n != waiting || len(names) != 0 {
			t.Errorf("%d wait, and %v may have been sent", n, names)
		}
	})
	t.Run("another after a clean end", func(t *testing.T) {
		l, s := of(t)
		another(t, s, false)
		if names, n := claimed(t, l.reopen(s), group); n != waiting || len(names) != 0 {
			t.Errorf("%d wait, and %v may have been sent", n, names)
		}
	})
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprintf("another while the bot works, which has it ended: %v", ended), func(t *testing.T) {
			_, s := of(t)
			another(t, s, ended)
			sever(t, s)
			eventually(t, func() error { return s.writer.write(t.Context(), func(*txn) error { return nil }) })
			if names, n := claimed(t, s, group); n != waiting || len(names) != waiting {
				t.Errorf("%d wait, and %v may have been sent", n, names)
			}
		})
	}
}

// inOneCommit makes changes in one transaction, in their order.
func inOneCommit(t *testing.T, s *Store, changes ...func(*txn) error) {
	t.Helper()
	if err := s.writer.write(context.Background(), func(tx *txn) error {
		for _, change := range changes {
			if err := change(tx); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAJobThatEndsInTheCommitInWhichItsChatMovesHasEnded(t *testing.T) {
	const supergroup = -1002
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		job := advance(t, s, group, nil, true)
		inOneCommit(t, s,
			func(tx *txn) error { return s.settle(tx, group, &Outcome{Kind: Migrated, NewChatID: supergroup}) },
			func(tx *txn) error { return s.settle(tx, group, sent(job, 70)) })
		if job := advance(t, s, supergroup, nil, true); job != nil {
			t.Errorf("it is to be sent again: %+v", job)
		}
		if got := s.Counts(); got.Posted != 1 {
			t.Errorf("counts: %+v", got)
		}
		list, err := s.ListTickets(t.Context(), Filter{Limit: 1})
		if err != nil || len(list.Tickets) != 1 || list.Tickets[0].MessageID != 70 {
			t.Errorf("tickets: %+v %v", list, err)
		}
	})
}

// A second try that was certainly not taken says nothing of the first.
func TestAJobThatMayHaveBeenSentGoesAlongWithItsChat(t *testing.T) {
	const supergroup = -1002
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		advance(t, s, group, nil, true)
		s = l.reopen(s)
		if job := advance(t, s, group, nil, true); job == nil || !job.MaybeSent {
			t.Fatalf("job: %+v", job)
		}
		advance(t, s, group, &Outcome{Kind: Migrated, NewChatID: supergroup}, false)
		if job := advance(t, s, supergroup, nil, true); job == nil || !job.MaybeSent {
			t.Errorf("in the supergroup: %+v", job)
		}
	})
}

func TestWhatTheDatabaseRejectsIsNamed(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		saveUpdates(t, s, 1, 2)
		if err := s.Handle(t.Context(), 1, func(tx Tx) error {
			_, err := tx.(*unit).tx.exec(`INSERT INTO counters (name, value) VALUES (?, ?)`, "none", nil)
			return err
		}); !errors.Is(err, ErrRejected) {
			t.Errorf("handle: %v", err)
		}
		if err := s.Handle(t.Context(), 1, func(Tx) error { return errors.New("boom") }); err == nil || errors.Is(err, ErrRejected) {
			t.Errorf("an error of the handler's: %v", err)
		}
		if reason, message := s.Trouble(); reason != "" {
			t.Errorf("trouble: %s %s", reason, message)
		}
		if waiting, err := s.PendingUpdates(t.Context(), 0, 9); err != nil || len(waiting) != 2 {
			t.Errorf("updates that wait: %v %v", waiting, err)
		}
		handle(t, s, 1, func(Tx) error { return nil })
	})
}
