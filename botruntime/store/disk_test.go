// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const pageSize = 4096

// spoil damages the first page of a table while a bot works with it.
func spoil(t *testing.T, s *Store, dir, table string) {
	t.Helper()
	e := engineOf(t, s)
	roots, err := list[int64](t.Context(), e.readDB, `SELECT rootpage FROM sqlite_master WHERE name = ?`, table)
	if err != nil || len(roots) != 1 {
		t.Fatalf("the pages of %s: %v %v", table, roots, err)
	}
	if _, err := e.readDB.ExecContext(t.Context(), "PRAGMA wal_checkpoint(FULL)"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xA5}, pageSize), (roots[0]-1)*pageSize); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.writer.write(t.Context(), func(tx *txn) error { // or it would not look there
		_, err := tx.conn.ExecContext(t.Context(), "PRAGMA shrink_memory")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestDamageThatShowsWhileTheBotWorksHasItStartAgain(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	admit(t, s, request("a", 1))
	spoil(t, s, l.opts.Dir, "tickets")
	if _, err := s.Admit(t.Context(), []Request{request("b", 2)}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("admit: %v", err)
	}
	saveUpdates(t, s, 1) // elsewhere nothing is wrong
	if reason, _ := s.Trouble(); reason != ReasonCorrupt {
		t.Errorf("trouble: %q", reason)
	}
	if err := s.Alive(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("alive: %v", err)
	}
	_ = s.Close() // as it can
	s = l.open()
	if got := admit(t, s, request("a", 1)); got[0] != Accepted {
		t.Errorf("the new database: %v", got)
	}
	if err := s.Alive(t.Context()); err != nil {
		t.Errorf("the new bot: %v", err)
	}
	if reason, _ := s.Trouble(); reason != ReasonCorrupt {
		t.Errorf("trouble of the new bot: %q", reason)
	}
}

func TestDamageThatAReadFindsHasTheBotStartAgain(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	saveUpdates(t, s, 1)
	spoil(t, s, l.opts.Dir, "updates")
	if _, err := s.PendingUpdates(t.Context(), 0, 9); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("updates: %v", err)
	}
	if err := s.Alive(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("alive: %v", err)
	}
}

// page is the first page of an index or table of a closed database, and where it is in the file.
func page(t *testing.T, path, name string) (data []byte, at int64) {
	t.Helper()
	db, err := openDB(path)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := list[int64](t.Context(), db, `SELECT rootpage FROM sqlite_master WHERE name = ?`, name)
	if err = errors.Join(err, db.Close()); err != nil || len(roots) != 1 {
		t.Fatalf("the pages of %s: %v %v", name, roots, err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at = (roots[0] - 1) * pageSize
	return file[at : at+pageSize], at
}

// A write that the disk lost may leave an index that disagrees with its table: each for itself is in order, and as long as the other.
func TestAnIndexThatDisagreesWithItsTableHasTheDatabaseSetAside(t *testing.T) {
	l := inDirectory(t)
	path := filepath.Join(l.opts.Dir, fileName)
	link := func(s *Store, name string) error {
		saveUpdates(t, s, 1)
		return s.Handle(t.Context(), 1, func(tx Tx) error {
			return tx.LinkMessage(Link{ChatID: group, MessageID: 80, Ticket: name, At: epoch})
		})
	}
	s := l.open()
	admit(t, s, request("a", 1))
	if err := link(s, "ticket_site_1"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	lost, at := page(t, path, "links_by_ticket")
	s = l.open()
	if err := link(s, "ticket_site_2"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(file[at:], lost)
	write(t, path, file)

	s = l.open()
	if got := admit(t, s, request("a", 1)); got[0] != Repeated {
		t.Fatalf("before the damage shows: %v", got)
	}
	if err := link(s, "ticket_site_3"); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("the damage does not show: %v", err)
	}
	_ = s.Close() // as it can
	s = l.open()
	if got := admit(t, s, request("a", 1)); got[0] != Accepted {
		t.Errorf("the new database: %v", got)
	}
	if reason, message := s.Trouble(); reason != ReasonCorrupt || !strings.Contains(message, asideMark) {
		t.Errorf("trouble: %q %q", reason, message)
	}
	mustClose(t, s)
	s = l.open()
	if got := admit(t, s, request("a", 1)); got[0] != Repeated {
		t.Errorf("the new database was set aside, too: %v", got)
	}
}

// One read of the disk's may have been a bad one.
func TestADatabaseThatIsWellAfterAllStays(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	admit(t, s, request("a", 1))
	if err := engineOf(t, s).fault(fmt.Errorf("read: %w", ErrCorrupt)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("fault: %v", err)
	}
	mark := filepath.Join(l.opts.Dir, fileName+suspectMark)
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("no mark is left: %v", err)
	}
	s = l.reopen(s)
	if got := admit(t, s, request("a", 1)); got[0] != Repeated {
		t.Errorf("the database: %v", got)
	}
	if reason, _ := s.Trouble(); reason != "" {
		t.Errorf("trouble: %s", reason)
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark stays: %v", err)
	}
}

func TestADiskThatHangsIsNoticed(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	e := engineOf(t, s)
	begun, goOn := make(chan struct{}, 9), make(chan struct{})
	e.flush = func(f *os.File) error { begun <- struct{}{}; <-goOn; return flush(f) }
	admitted := make(chan error, 1)
	go func() {
		_, err := s.Admit(context.Background(), []Request{request("a", 1)})
		admitted <- err
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Alive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("alive: %v", err)
	}
	close(goOn)
	if err := <-admitted; err != nil {
		t.Error(err)
	}
	if err := s.Alive(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// neverEnded is an engine whose connections are of no use once a rollback failed.
type neverEnded struct{ engine }

func (neverEnded) ended(error) bool { return false }

// SQLite deletes the log with its last connection, and begins a new one.
func TestTheLogThatIsSyncedIsTheOneThatIsWritten(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	admit(t, s, request("a", 1))
	e := engineOf(t, s)
	if err := e.readDB.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.do(t.Context(), func(tx *txn) error {
		tx.engine = neverEnded{e}
		_, err := tx.conn.ExecContext(t.Context(), "ROLLBACK")
		return errors.Join(err, errors.New("boom"))
	}); !errors.Is(err, ErrUnreachable) {
		t.Fatalf("the connection is still there: %v", err)
	}
	admit(t, s, request("b", 2))
	there, err := os.Stat(e.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	synced, err := e.wal.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(there, synced) {
		t.Error("a log is synced that nobody writes")
	}
}
