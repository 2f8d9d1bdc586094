// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// byRoad is a lab whose store takes a road to its database.
func byRoad(t *testing.T) (*lab, *pgtest.Road) {
	t.Helper()
	l, r := inSchema(t), pgtest.NewRoad(t)
	l.opts.DSN = r.DSN
	return l, r
}

// patient has a store wait for its server for so long.
func patient(t *testing.T, s *Store, patience time.Duration) {
	t.Helper()
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	e.patience = patience
}

func TestReadsOfAServerThatHangsEnd(t *testing.T) {
	l, r := byRoad(t)
	s := l.open()
	patient(t, s, 300*time.Millisecond)
	admit(t, s, request("a", 1))
	saveUpdates(t, s, 1)
	if _, err := s.WaitingChats(t.Context()); err != nil { // by a connection that stays
		t.Fatal(err)
	}
	r.Freeze()
	for name, look := range map[string]func(context.Context) error{
		"chats":   func(ctx context.Context) error { _, err := s.WaitingChats(ctx); return err },
		"updates": func(ctx context.Context) error { _, err := s.PendingUpdates(ctx, 0, 9); return err },
		"offset":  func(ctx context.Context) error { _, err := s.NextOffset(ctx); return err },
		"results": func(ctx context.Context) error { _, err := s.DueResults(ctx, -1, 9); return err },
		"list":    func(ctx context.Context) error { _, err := s.ListTickets(ctx, Filter{Limit: 9}); return err },
		"stats":   func(ctx context.Context) error { _, err := s.TicketStats(ctx, epoch); return err },
		"sweep":   s.Sweep,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		if err := look(ctx); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	if err := s.Alive(t.Context()); err != nil {
		t.Errorf("a bot whose server hangs is alive: %v", err)
	}
	r.Thaw()
	eventually(t, func() error {
		_, err := s.Admit(t.Context(), []Request{request("b", 2)})
		return err
	})
	eventually(t, func() error {
		chats, err := s.WaitingChats(t.Context())
		if err == nil && len(chats) != 1 {
			err = fmt.Errorf("chats: %v", chats)
		}
		return err
	})
}

// What reads is not in the way of what makes commits durable.
func TestReadsLeaveRoomForSyncs(t *testing.T) {
	l := inSchema(t)
	s := l.open()
	for range s.engine.reads().Stats().MaxOpenConnections {
		conn, err := s.engine.reads().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Admit(ctx, []Request{request("a", 1)}); err != nil {
		t.Error(err)
	}
}

// A pod has ten seconds to end, and a Lease to give back.
func TestAServerThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	l, r := byRoad(t)
	s := l.open()
	admit(t, s, request("a", 1))
	begun, goOn := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := s.writer.do(context.Background(), func(tx *txn) error {
			close(begun)
			<-goOn
			return tx.set("hangs", 1)
		})
		ended <- err
	}()
	<-begun
	r.Freeze()
	close(goOn)
	s.Hurry()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := <-ended; !errors.Is(err, ErrUnreachable) {
			t.Errorf("the change that was under way: %v", err)
		}
		_ = s.Close() // the server may not have heard of it
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("it waits for the server")
		r.Thaw()
		<-closed
	}
}

// A bot that is told to end while it opens its store ends, too.
func TestAServerThatHangsDoesNotHoldUpTheEndOfABotThatBegins(t *testing.T) {
	l, r := byRoad(t)
	s := l.open()
	admit(t, s, request("a", 1))
	mustClose(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.opts.Route = func(string) (chatID, threadID int64) { // a ticket is led to another chat then
		r.Freeze()
		cancel()
		return -1002, 0
	}
	opened := make(chan error, 1)
	go func() {
		s, err := Open(ctx, l.opts)
		if err == nil {
			err = errors.Join(errors.New("it opened"), s.Close())
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("open: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for the server")
		r.Thaw()
		t.Log(<-opened)
	}
}

// A server may commit at once, and not be able to keep what it has: it waits for a replica that is away, say.
func TestAServerThatDoesNotSyncIsTrouble(t *testing.T) {
	l := inSchema(t)
	s := l.open()
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	if err := e.syncDB.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Admit(t.Context(), []Request{request("a", 1)}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("admit: %v", err)
	}
	for range 3 {
		if _, err := s.writer.do(t.Context(), func(tx *txn) error { return tx.set("more", 1) }); err != nil {
			t.Fatal(err)
		}
		if reason, _ := s.Trouble(); reason != ReasonUnreachable {
			t.Errorf("trouble after a commit: %q", reason)
		}
		if err := s.Alive(t.Context()); err != nil {
			t.Errorf("alive: %v", err)
		}
	}
}

// Its checkpoints may take longer than a probe: another bot would wait for them, too.
func TestAServerThatIsSlowToSyncIsNoReasonToStartAgain(t *testing.T) {
	l := inSchema(t)
	s := l.open()
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	busy, err := e.syncDB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	admitted := make(chan error, 1)
	go func() {
		_, err := s.Admit(context.Background(), []Request{request("a", 1)})
		admitted <- err
	}()
	eventually(t, func() error {
		if n, err := list[int](t.Context(), e.readDB, `SELECT count(*) FROM tickets`); err != nil || n[0] == 0 {
			return errors.Join(errors.New("nothing is committed"), err)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := s.Alive(ctx); err != nil {
		t.Errorf("alive: %v", err)
	}
	select {
	case err := <-admitted:
		t.Errorf("admitted before it is synced: %v", err)
	default:
	}
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-admitted; err != nil {
		t.Error(err)
	}
}
