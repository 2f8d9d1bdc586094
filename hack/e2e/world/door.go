// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package world

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Door is where a peer listens; it can be closed and opened again at the same address.
type Door struct {
	t       *testing.T
	handler http.Handler
	// Address is the host and port that pods reach it at.
	Address string

	mu     sync.Mutex
	server *http.Server
}

// OpenDoor listens where pods reach this process, until the test ends.
func OpenDoor(t *testing.T, handler http.Handler) *Door {
	t.Helper()
	d := &Door{t: t, handler: handler, Address: net.JoinHostPort(Cluster.HostAddress, "0")}
	d.Open()
	t.Cleanup(d.Close)
	return d
}

// Open listens again.
func (d *Door) Open() {
	d.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", d.Address)
	if err != nil {
		d.t.Fatalf("listen where pods reach this machine: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Address = listener.Addr().String()
	d.server = &http.Server{Handler: d.handler, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.t.Errorf("serve %s: %v", d.Address, err)
		}
	}(d.server)
}

// Close ends every connection, and refuses new ones.
func (d *Door) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.server.Close(); err != nil {
		d.t.Errorf("close %s: %v", d.Address, err)
	}
}
