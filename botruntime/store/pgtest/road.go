// SPDX-License-Identifier: Apache-2.0

//go:build linux

package pgtest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
)

// Road is a way by TCP to the package's server. It can be blocked: connections stay then, and nothing comes through.
type Road struct {
	// DSN is the server's address at the end of the road.
	DSN string

	listener net.Listener
	server   string

	mu    sync.Mutex
	clear chan struct{} // closed while nothing blocks the way
	held  chan struct{} // closed once something is held up
	ends  []net.Conn
}

// NewRoad is a road that is clear, until the test ends.
func NewRoad(t testing.TB) *Road {
	t.Helper()
	directory, rest, _ := strings.Cut(strings.TrimPrefix(DSN(t), "host="), " ")
	r := &Road{server: directory + "/.s.PGSQL.5432", clear: make(chan struct{}), held: make(chan struct{})}
	close(r.clear)
	var err error
	if r.listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(r.listener.Addr().String()) // a listener's address has both
	r.DSN = "host=127.0.0.1 port=" + port + " sslmode=disable " + rest
	t.Cleanup(func() {
		_ = r.listener.Close()
		r.Thaw()
	})
	go r.serve()
	return r
}

func (r *Road) serve() {
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
func (r *Road) carry(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	for buffer := make([]byte, 32<<10); ; {
		n, err := from.Read(buffer)
		<-r.way()
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// way is closed once the way is clear.
func (r *Road) way() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.clear:
	default:
		once(r.held)
	}
	return r.clear
}

// once closes a channel that may be closed.
func once(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// Freeze blocks the way. What it returns is closed once something is held up.
func (r *Road) Freeze() (held <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear, r.held = make(chan struct{}), make(chan struct{})
	return r.held
}

// Thaw ends the connections that were on the way, and clears it.
func (r *Road) Thaw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.ends {
		_ = c.Close()
	}
	r.ends = nil
	once(r.clear)
}
