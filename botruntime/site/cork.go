// SPDX-License-Identifier: Apache-2.0

package site

import "net"

// corkSize is how much is gathered before it is written anyway.
const corkSize = 32 << 10

// corkedConn gathers small writes: many frames, one system call. The WebSocket library flushes after every frame.
type corkedConn struct {
	net.Conn

	// turn holds a token while somebody writes: for as long as the peer does not read, which is long for a mutex.
	turn    chan struct{}
	corked  bool
	pending []byte
}

func newCorkedConn(conn net.Conn) *corkedConn {
	return &corkedConn{Conn: conn, turn: make(chan struct{}, 1)}
}

// Write writes at once, or keeps p until uncork.
func (c *corkedConn) Write(p []byte) (int, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if !c.corked {
		return c.Conn.Write(p)
	}
	c.pending = append(c.pending, p...)
	if len(c.pending) >= corkSize {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// cork begins to gather.
func (c *corkedConn) cork() {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.corked = true
}

// uncork writes what was gathered, by the write deadline that was last set.
func (c *corkedConn) uncork() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.corked = false
	return c.flush()
}

func (c *corkedConn) flush() error {
	if len(c.pending) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.pending)
	c.pending = c.pending[:0]
	return err
}
