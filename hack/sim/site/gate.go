// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bufio"
	"net"
	"net/http"
	"sync"
)

// gate holds up whoever passes while it is shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // nil while open, else closed by opening
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case shut && g.open == nil:
		g.open = make(chan struct{})
	case !shut && g.open != nil:
		close(g.open)
		g.open = nil
	}
}

// pass waits until the gate is open or gone is closed; false for gone.
func (g *gate) pass(gone <-chan struct{}) bool {
	for {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		if open == nil {
			return true
		}
		select {
		case <-open:
		case <-gone:
			return false
		}
	}
}

// gatedConn is a connection whose reads and writes can be held up without the peer noticing.
type gatedConn struct {
	net.Conn
	reads, writes gate
	gone          chan struct{}
	closeOnce     sync.Once
}

// Read gives nothing away while reads are shut, not even what came before.
func (c *gatedConn) Read(p []byte) (int, error) {
	if !c.reads.pass(c.gone) {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p)
	if !c.reads.pass(c.gone) {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if !c.writes.pass(c.gone) {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// Close closes the connection and lets go of whoever waits at a gate.
func (c *gatedConn) Close() error {
	c.closeOnce.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// reset ends the connection with a TCP reset, or as roughly as it can.
func (c *gatedConn) reset() {
	inner := c.Conn
	if wrapped, ok := inner.(interface{ NetConn() net.Conn }); ok { // TLS
		inner = wrapped.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then it is closed a little more politely
	}
	c.closeOnce.Do(func() { close(c.gone) })
	_ = inner.Close() // it is gone, that is all that counts
}

// gatingWriter makes the hijacked connection a gatedConn.
type gatingWriter struct {
	http.ResponseWriter
	conn *gatedConn
}

// Hijack implements http.Hijacker.
func (w *gatingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.conn = &gatedConn{Conn: conn, gone: make(chan struct{})}
	return w.conn, buffered, nil
}
