// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// road is a way to the server of the tests. It can be blocked: connections stay then, and nothing comes through.
type road struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	clear chan struct{} // closed while nothing blocks the way
	ends  []net.Conn
}

// byRoad is a lab whose store takes a road to its database.
func byRoad(t *testing.T) (*lab, *road) {
	t.Helper()
	l := inSchema(t)
	directory, _, _ := strings.Cut(strings.TrimPrefix(l.opts.DSN, "host="), " ")
	r := &road{server: directory + "/.s.PGSQL.5432", clear: make(chan struct{})}
	close(r.clear)
	var err error
	if r.listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.listener.Close()
		r.thaw()
	})
	go r.serve()
	_, port, _ := net.SplitHostPort(r.listener.Addr().String())
	l.opts.DSN = strings.Replace(l.opts.DSN, "host="+directory, "host=127.0.0.1 sslmode=disable port="+port, 1)
	return l, r
}

func (r *road) serve() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "unix", r.server)
		if err != nil {
			_ = near.Close()
			continue
		}
		r.mu.Lock()
		r.ends = append(r.ends, near, far)
		r.mu.Unlock()
		go r.carry(near, far)
		go r.carry(far, near)
	}
}

// carry takes what comes from one end to the other.
func (r *road) carry(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	for buffer := make([]byte, 32<<10); ; {
		n, err := from.Read(buffer)
		r.mu.Lock()
		clear := r.clear
		r.mu.Unlock()
		<-clear
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// freeze blocks the way.
func (r *road) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear = make(chan struct{})
}

// thaw ends what was on the way, and clears it.
func (r *road) thaw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.ends {
		_ = c.Close()
	}
	r.ends = nil
	select {
	case <-r.clear:
	default:
		close(r.clear)
	}
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
	r.freeze()
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
	r.thaw()
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
	r.freeze()
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
		r.thaw()
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
		r.freeze()
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
		r.thaw()
		<-opened
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
