// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// rows counts a table.
func rows(t testing.TB, s *Store, table string) (n int) {
	t.Helper()
	if err := s.engine.reads().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// withOldThings is a store with one of each thing that a sweep may take away, and tickets that it must not: one that waits
// (2), one whose result is not confirmed (3), one with which something happened lately (4), and a failed one (5) that is
// as old as the first.
func withOldThings(t *testing.T, l *lab) *Store {
	t.Helper()
	s := l.open()
	admit(t, s, request("a", 1), request("f", 5), request("d", 4), request("c", 3), request("b", 2))
	job := advance(t, s, group, nil, true)
	job = advance(t, s, group, sent(job, 71), true)
	job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "no", At: epoch}, true)
	job = advance(t, s, group, sent(job, 74), true)
	results, err := s.DueResults(t.Context(), 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ConfirmResults(t.Context(), results[len(results)-1].Seq); err != nil {
		t.Fatal(err)
	}
	advance(t, s, group, sent(job, 73), false)
	inTx(t, s, func(tx Tx) error {
		_, _, err := tx.Take("hint", 1, Limit{Uses: 1, Window: time.Hour}, epoch)
		return errors.Join(err,
			tx.LinkMessage(Link{ChatID: group, MessageID: 81, Ticket: "ticket_site_1", At: epoch}),
			tx.LinkMessage(Link{ChatID: group, MessageID: 82, Ticket: "ticket_site_older", At: epoch}),
			tx.SetStatus(StatusChange{TicketID: "ticket_site_1", Status: ticket.StatusRead, At: epoch}),
			tx.SetStatus(StatusChange{TicketID: "ticket_site_older", Status: ticket.StatusRead, At: epoch}),
			tx.SetStatus(StatusChange{TicketID: "ticket_site_4", Status: ticket.StatusRead, At: epoch.Add(80 * day)}),
			tx.SavePerson(Person{ID: 1, SeenAt: epoch}),
			tx.SavePerson(Person{ID: 2, SeenAt: epoch, BannedAt: epoch}))
	})
	return s
}

func TestTheSweepTakesWhatIsOldAndDone(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := withOldThings(t, l)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		counted := func() map[string]int {
			got := map[string]int{}
			for _, table := range []string{"tickets", "requests", "results", "links", "statuses", "events", "nonces", "uses", "persons"} {
				got[table] = rows(t, s, table)
			}
			return got
		}
		before := map[string]int{"tickets": 5, "requests": 5, "results": 1, "links": 2, "statuses": 3, "events": 3, "nonces": 5, "uses": 1, "persons": 2}
		if diff := cmp.Diff(before, counted()); diff != "" {
			t.Fatalf("on the same day: %s", diff)
		}
		counts := s.Counts()
		now := epoch.Add(91 * day)
		s.opts.Now = func() time.Time { return now }
		sweepLater(t, s)
		if diff := cmp.Diff(map[string]int{"tickets": 3, "requests": 3, "results": 1, "links": 0, "statuses": 1, "events": 1, "nonces": 0,
			"uses": 0, "persons": 2}, counted()); diff != "" {
			t.Errorf("after 91 days: %s", diff)
		}
		now = epoch.Add(200 * day)
		sweepLater(t, s)
		if diff := cmp.Diff(map[string]int{"tickets": 2, "requests": 2, "results": 1, "links": 0, "statuses": 0, "events": 0, "nonces": 0,
			"uses": 0, "persons": 1}, counted()); diff != "" {
			t.Errorf("after 200 days: %s", diff)
		}
		if s.Counts() != counts {
			t.Errorf("counts: %+v, before %+v", s.Counts(), counts)
		}
		if s = l.reopen(s); s.Counts() != counts {
			t.Errorf("counts of a restarted bot: %+v, before %+v", s.Counts(), counts)
		}
		again := request("a", 1)
		again.ReadAt = now
		if got := admit(t, s, again); got[0] != Accepted {
			t.Errorf("a feedback that was forgotten: %v", got)
		}
	})
}

// sweepLater sweeps a long time after the last sweep: the first one only believes the clock.
func sweepLater(t *testing.T, s *Store) {
	t.Helper()
	for range 2 {
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAClockThatJumpsTakesNothingAway(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := withOldThings(t, l)
		now := epoch
		s.opts.Now = func() time.Time { return now }
		sweep := func(at time.Time) int {
			t.Helper()
			now = at
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			return rows(t, s, "tickets")
		}
		all := sweep(epoch)
		for _, at := range []time.Time{epoch.Add(365 * day), epoch.Add(time.Hour), epoch.Add(-365 * day), epoch.Add(2 * time.Hour)} {
			if kept := sweep(at); kept != all {
				t.Errorf("at %v %d of %d tickets are kept", at, kept, all)
			}
		}
		if sweep(epoch.Add(365 * day)); sweep(epoch.Add(365*day+time.Hour)) == all {
			t.Error("a clock that goes on is not believed")
		}
	})
}

func TestTheFileStaysBounded(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	now := epoch
	s.opts.Now = func() time.Time { return now }
	size := func() int64 {
		info, err := os.Stat(filepath.Join(l.opts.Dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	var sizes []int64
	sweep := func() {
		t.Helper()
		sweepLater(t, s)
		sizes = append(sizes, size())
	}
	id := int64(0)
	for range 4 { // four times as long as tickets are kept
		now = now.Add(91 * day)
		for range 6 {
			var batch []Request
			for range 100 {
				id++
				r := request(fmt.Sprintf("%08d-0000-0000-0000-000000000000", id), id)
				r.ReadAt, r.NonceUntil, r.Ticket.Message = now, now.Add(time.Minute), strings.Repeat("text ", 100)
				batch = append(batch, r)
			}
			admit(t, s, batch...)
			for job := advance(t, s, group, nil, true); job != nil; {
				job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Sent, MessageID: job.Ticket.FeedbackID, At: now}, true)
			}
			results, err := s.DueResults(t.Context(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.ConfirmResults(t.Context(), results[len(results)-1].Seq); err != nil {
				t.Fatal(err)
			}
		}
		sweep()
	}
	if n := rows(t, s, "tickets"); n != 600 {
		t.Errorf("%d tickets are kept", n)
	}
	now = now.Add(91 * day)
	sweep()
	// Before a sweep there is twice what is kept.
	if most := slices.Max(sizes); most > 2<<20 {
		t.Errorf("the file grows: %v bytes", sizes)
	}
	if last := sizes[len(sizes)-1]; last > 512<<10 {
		t.Errorf("the file does not shrink: %v bytes", sizes)
	}
}
