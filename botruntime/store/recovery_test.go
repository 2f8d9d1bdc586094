// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// engineOf is the engine of a store in a directory.
func engineOf(t testing.TB, s *Store) *sqliteEngine {
	t.Helper()
	e, ok := s.engine.(*sqliteEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	return e
}

// copyFiles copies a store's database as it is now, as a machine finds it that was switched off.
func copyFiles(t testing.TB, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(filepath.Join(from, fileName+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, fileName+suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// claims are the names of a chat's jobs that may have been sent, of all that wait.
func claimed(t testing.TB, s *Store, chat int64) (names []string, waiting int) {
	t.Helper()
	for job := advance(t, s, chat, nil, true); job != nil; job = advance(t, s, chat, sent(job, 1), true) {
		if waiting++; job.MaybeSent {
			names = append(names, job.Ticket.ID)
		}
	}
	return names, waiting
}

func TestAKilledBotRepeatsOneJobAtMost(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	for i := range int64(20) {
		admit(t, s, request(fmt.Sprint(i), i+1))
	}
	job := advance(t, s, group, nil, true)
	for range 9 {
		job = advance(t, s, group, sent(job, 1), true)
	}
	after := inDirectory(t)
	after.opts.Dir = copyFiles(t, l.opts.Dir) // what the process had written, synced or not, outlives it
	names, waiting := claimed(t, after.open(), group)
	if want := []string{"ticket_site_10"}; waiting != 11 || !cmp.Equal(want, names) {
		t.Errorf("%d wait, and %v may have been sent", waiting, names)
	}
}

func TestAPowerFailureMarksWhatItMayHaveUndone(t *testing.T) {
	for name, c := range map[string]struct {
		boot   int64
		closed bool
		want   int
	}{
		"another run of the machine": {boot: 2, want: maxUnsynced + 1},
		"the same run":               {boot: 1, want: 1},
		"after a clean end":          {boot: 2, closed: true, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := inDirectory(t)
			s := l.open()
			if err := s.writer.write(t.Context(), func(tx *txn) error { return tx.set(counterBoot, bootID()+c.boot-1) }); err != nil {
				t.Fatal(err)
			}
			for i := range int64(20) {
				admit(t, s, request(fmt.Sprint(i), i+1))
			}
			inTx(t, s, func(tx Tx) error { return tx.Send(Outgoing{ChatID: author}) })
			advance(t, s, group, nil, true)
			after := inDirectory(t)
			if after.opts.Dir = l.opts.Dir; c.closed {
				mustClose(t, s)
			} else {
				after.opts.Dir = copyFiles(t, l.opts.Dir)
			}
			names, waiting := claimed(t, after.open(), group)
			if waiting != 20 || len(names) != c.want {
				t.Errorf("%d wait, and %v may have been sent, want %d", waiting, names, c.want)
			}
		})
	}
}

func TestNobodyIsToldOfWhatIsNotSynced(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	admit(t, s, request("a", 1))
	e := engineOf(t, s)
	begun, goOn := make(chan struct{}, 100), make(chan struct{})
	e.flush = func(f *os.File) error { begun <- struct{}{}; <-goOn; return flush(f) }
	admitted := make(chan error, 1)
	go func() {
		_, err := s.Admit(context.Background(), []Request{request("b", 2)})
		admitted <- err
	}()
	<-begun
	job := advance(t, s, group, nil, true)
	if job.Ticket.ID != "ticket_site_1" {
		t.Fatalf("job: %+v", job)
	}
	next := make(chan *Job, 1)
	go func() {
		job, err := s.Advance(context.Background(), group, sent(job, 1), true)
		if err != nil {
			t.Error(err)
		}
		next <- job
	}()
	results := make(chan []Result, 1)
	go func() {
		due, err := s.DueResults(context.Background(), 0, 9)
		if err != nil {
			t.Error(err)
		}
		results <- due
	}()
	select {
	case err := <-admitted:
		t.Errorf("admitted: %v", err)
	case job := <-next:
		t.Errorf("a job whose ticket may be undone: %+v", job)
	case due := <-results:
		if len(due) > 0 {
			t.Errorf("results: %v", due)
		}
		results <- due
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if err := <-admitted; err != nil {
		t.Error(err)
	}
	if job := <-next; job == nil || job.Ticket.ID != "ticket_site_2" {
		t.Errorf("the next job: %+v", job)
	}
	<-results
	if got := due(t, s); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("due: %v", got)
	}
}

func TestJobsDoNotRunFarAheadOfTheDisk(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	for i := range int64(30) {
		admit(t, s, request(fmt.Sprint(i), i+1))
	}
	e := engineOf(t, s)
	goOn := make(chan struct{})
	e.flush = func(f *os.File) error { <-goOn; return flush(f) }
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	calls := 0
	var done *Outcome
	for {
		job, err := s.Advance(ctx, group, done, true)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		calls++
		done = sent(job, 1)
	}
	if calls != maxUnsynced {
		t.Errorf("%d jobs ran ahead, want %d", calls, maxUnsynced)
	}
	close(goOn)
	if job := advance(t, s, group, done, true); job == nil || job.Ticket.FeedbackID != maxUnsynced+1 {
		t.Errorf("afterwards: %+v", job)
	}
}

func TestAFailedSyncIsNotTriedAgain(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	admit(t, s, request("a", 1))
	e := engineOf(t, s)
	e.flush = func(*os.File) error { return syscall.EIO }
	if _, err := s.Admit(t.Context(), []Request{request("b", 2)}); !errors.Is(err, ErrBroken) || !errors.Is(err, syscall.EIO) {
		t.Errorf("admit: %v", err)
	}
	e.flush = flush // as the kernel would have it
	if _, err := s.Admit(t.Context(), []Request{request("c", 3)}); !errors.Is(err, ErrBroken) {
		t.Errorf("admit after that: %v", err)
	}
	if _, err := s.Advance(t.Context(), group, nil, true); !errors.Is(err, ErrBroken) {
		t.Errorf("advance after that: %v", err)
	}
	if err := s.Alive(t.Context()); !errors.Is(err, ErrBroken) {
		t.Errorf("alive: %v", err)
	}
	if reason, message := s.Trouble(); reason != ReasonFull || !strings.Contains(message, "start") {
		t.Errorf("trouble: %s %s", reason, message)
	}
	after := inDirectory(t)
	after.opts.Dir = copyFiles(t, l.opts.Dir)
	if got := admit(t, after.open(), request("a", 1)); got[0] != Repeated {
		t.Errorf("what was admitted before is not there: %v", got)
	}
}

func TestADamagedDatabaseIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, string){
		"no database at all": func(t *testing.T, path string) {
			t.Helper()
			write(t, path, []byte(strings.Repeat("this is no database ", 1000)))
		},
		"pages of nothing": func(t *testing.T, path string) {
			t.Helper()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 4096; i < len(data); i++ {
				data[i] = 0xA5
			}
			write(t, path, data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := inDirectory(t)
			s := l.open()
			admit(t, s, request("a", 1))
			mustClose(t, s)
			damage(t, filepath.Join(l.opts.Dir, fileName))
			s = l.open()
			if got := admit(t, s, request("a", 1)); got[0] != Accepted {
				t.Errorf("the new database: %v", got)
			}
			for range 2 { // it goes on to say so, in the next life too
				reason, message := s.Trouble()
				if reason != ReasonCorrupt || !strings.Contains(message, fileName+asideMark) {
					t.Errorf("trouble: %q %q", reason, message)
				}
				s = l.reopen(s)
			}
			aside, err := filepath.Glob(filepath.Join(l.opts.Dir, fileName+asideMark+"*"))
			if err != nil || len(aside) == 0 {
				t.Fatalf("set aside: %v %v", aside, err)
			}
			for _, path := range aside {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			if reason, _ := s.Trouble(); reason != "" {
				t.Errorf("after the file was taken away: %s", reason)
			}
		})
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSurvived(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	admit(t, s, request("a", 1))
	pages, err := list[int64](t.Context(), s.engine.reads(), "PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	room := func(pages int64) {
		t.Helper()
		if err := s.writer.write(t.Context(), func(tx *txn) error {
			_, err := tx.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	room(pages[0] + 1)
	long := request("b", 2)
	long.Ticket.Message = strings.Repeat("long ", 20_000)
	saveUpdates(t, s, 1)
	for range 2 {
		if _, err := s.Admit(t.Context(), []Request{long}); !errors.Is(err, ErrFull) {
			t.Fatalf("admit: %v", err)
		}
		if err := s.Handle(t.Context(), 1, func(tx Tx) error {
			_ = tx.Send(Outgoing{ChatID: author, Payload: []byte(long.Ticket.Message)})
			_ = tx.Send(Outgoing{ChatID: author, Payload: []byte("short")}) // nothing of it may stay
			return nil
		}); !errors.Is(err, ErrFull) {
			t.Fatalf("handle: %v", err)
		}
	}
	if reason, _ := s.Trouble(); reason != ReasonFull {
		t.Errorf("trouble: %q", reason)
	}
	if err := s.Alive(t.Context()); err != nil {
		t.Errorf("a bot that waits for room is alive: %v", err)
	}
	if reason, _ := s.Trouble(); reason != ReasonFull {
		t.Errorf("trouble after a look: %q", reason)
	}
	if got := s.Counts(); got.Received != 1 || got.Pending != 1 {
		t.Errorf("counts: %+v", got)
	}
	room(1 << 20)
	if err := s.Alive(t.Context()); err != nil {
		t.Errorf("alive: %v", err)
	}
	if reason, _ := s.Trouble(); reason != "" {
		t.Errorf("trouble with room, before anybody writes: %q", reason)
	}
	if got := admit(t, s, long); got[0] != Accepted {
		t.Errorf("with room: %v", got)
	}
	handle(t, s, 1, func(tx Tx) error { return tx.Send(Outgoing{ChatID: author, Payload: []byte("answer")}) })
	if job := advance(t, s, author, nil, true); job == nil || string(job.Payload) != "answer" {
		t.Errorf("message: %+v", job)
	}
	for _, want := range []string{"ticket_site_1", "ticket_site_2"} {
		if job := advance(t, s, group, nil, true); job == nil || job.Ticket.ID != want {
			t.Errorf("job: %+v, want %s", job, want)
		} else {
			advance(t, s, group, sent(job, 1), false)
		}
	}
}
