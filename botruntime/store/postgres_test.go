// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sever ends the writer's session, as a server does that restarts.
func sever(t *testing.T, s *Store) {
	t.Helper()
	var pid int64
	if _, err := s.writer.do(t.Context(), func(tx *txn) error {
		_, err := tx.get(`SELECT pg_backend_pid()`, nil, &pid)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.reads().ExecContext(t.Context(), `SELECT pg_terminate_backend($1, 5000)`, pid); err != nil {
		t.Fatal(err)
	}
}

// eventually tries until it succeeds.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // between two tries
	}
}

func TestAConnectionThatWasLostComesBack(t *testing.T) {
	l := inSchema(t)
	s := l.open()
	admit(t, s, request("a", 1), request("b", 2))
	job := advance(t, s, group, nil, true)
	sever(t, s)
	eventually(t, func() error {
		_, err := s.Advance(t.Context(), group, sent(job, 70), false)
		if err != nil && !errors.Is(err, ErrUnreachable) {
			t.Fatalf("advance: %v", err)
		}
		return err
	})
	if got := due(t, s); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("due: %v", got)
	}
	if job := advance(t, s, group, nil, true); job == nil || job.Ticket.ID != "ticket_site_2" || job.MaybeSent {
		t.Errorf("the next job: %+v", job)
	}
	if reason, _ := s.Trouble(); reason != "" {
		t.Errorf("trouble: %s", reason)
	}
	if got := s.Counts(); got.Posted != 1 || got.Pending != 1 {
		t.Errorf("counts: %+v", got)
	}
}

func TestWhoLostTheLockWritesNothing(t *testing.T) {
	l := inSchema(t)
	s := l.open()
	admit(t, s, request("a", 1))
	pg, ok := s.engine.(*postgresEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	thief, err := pg.readDB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sever(t, s)
	if _, err := thief.ExecContext(t.Context(), `SELECT pg_advisory_lock($1)`, pg.lockKey()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Admit(t.Context(), []Request{request("b", 2)}); !errors.Is(err, ErrUnreachable) {
			t.Fatalf("admit: %v", err)
		}
	}
	if reason, message := s.Trouble(); reason != ReasonUnreachable || !strings.Contains(message, ErrInUse.Error()) {
		t.Errorf("trouble: %s %s", reason, message)
	}
	if err := s.Alive(t.Context()); err != nil {
		t.Errorf("a bot without its database is alive: %v", err)
	}
	if err := thief.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.readDB.ExecContext(t.Context(), `SELECT pg_advisory_unlock_all()`); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		_, err := s.Admit(t.Context(), []Request{request("b", 2)})
		return err
	})
}

func TestAServerThatLostItsMemoryIsNoticed(t *testing.T) {
	l := inSchema(t)
	s := l.open()
	for _, id := range []string{"a", "b", "c"} {
		admit(t, s, request(id, 0))
	}
	job := advance(t, s, group, nil, true)
	// What PostgreSQL does with such a table when it recovers.
	if _, err := s.engine.reads().ExecContext(t.Context(), `BEGIN READ WRITE; TRUNCATE running; COMMIT`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Admit(t.Context(), []Request{request("d", 0)}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("admit, by a server that may have lost it: %v", err)
	}
	sever(t, s)
	eventually(t, func() error {
		_, err := s.Advance(t.Context(), group, sent(job, 70), false)
		return err
	})
	names, waiting := claimed(t, s, group)
	if waiting < 2 || len(names) != waiting {
		t.Errorf("%d wait, and of these %v may have been sent", waiting, names)
	}
}

func TestTheAddressOfADatabaseIsNotTold(t *testing.T) {
	for name, dsn := range map[string]string{
		"unreadable":  "postgres://bot:hunter2@[::1/db",
		"unreachable": "postgres://bot:hunter2@127.0.0.1:1/db?connect_timeout=1",
		"no address":  "password=hunter2 port=none",
	} {
		opts := options()
		opts.DSN, opts.Schema = dsn, "bot"
		s, err := Open(context.Background(), opts)
		if err == nil {
			mustClose(t, s)
			t.Fatalf("%s: opened", name)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password stands in %q", name, err)
		}
	}
	for _, name := range []string{"", "Bot", "a;b", "1a", strings.Repeat("a", 64)} {
		opts := options()
		opts.DSN, opts.Schema = "host=/nowhere", name
		if s, err := Open(context.Background(), opts); err == nil {
			mustClose(t, s)
			t.Errorf("schema %q", name)
		}
	}
}
