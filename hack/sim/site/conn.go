// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// ErrNotConnected means that no connection is open.
var ErrNotConnected = errors.New("the bot is not connected")

const (
	// maxFrame bounds what the bot may send.
	maxFrame     = 1 << 20
	writeTimeout = 30 * time.Second
)

// conn is an open connection.
type conn struct {
	ws      *websocket.Conn
	net     *gatedConn
	v2      bool          // it speaks version 2
	wake    chan struct{} // of capacity 1
	queue   []raw         // Server.mu guards it
	closing *Closing      // what a fault closes it with, or nil
	frozen  bool          // for good; Server.mu guards it
	ended   bool          // by the site, which sends nothing on it any more; Server.mu guards it
}

func (c *conn) version() int {
	if c.v2 {
		return 2
	}
	return 1
}

// raw is a message to send as it is.
type raw struct {
	kind int
	data []byte
}

// serveWebSocket answers a handshake and keeps the connection.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !s.delayHandshake(r) {
		return
	}
	if status, why := s.judge(r); status != 0 {
		s.mu.Lock()
		s.stats.Refused++
		s.stats.LastRefusal = why
		s.rev.Grow()
		s.mu.Unlock()
		http.Error(w, http.StatusText(status), status)
		return
	}
	hijacker := &gatingWriter{ResponseWriter: w}
	upgrader := websocket.Upgrader{
		CheckOrigin:    func(*http.Request) bool { return true }, // judged already
		ReadBufferSize: 4096,                                     // else it would read around the gate
		Subprotocols:   s.subprotocols(),
	}
	ws, err := upgrader.Upgrade(hijacker, r, nil)
	if err != nil {
		return // it has been answered
	}
	c := &conn{ws: ws, net: hijacker.conn, v2: ws.Subprotocol() == wire.Subprotocol, wake: make(chan struct{}, 1)}
	if !s.admit(c) {
		c.net.reset()
		return
	}
	defer s.sessions.Done()
	s.serve(c)
}

// admit adds a connection, unless the Server was closed.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
	}
	s.sessions.Add(1)
	s.conns = append(s.conns, c)
	s.stats.Connections++
	c.shape(s.faults)
	c.closing = s.closing()
	c.ended = c.closing != nil
	if c.v2 {
		s.greet(c)
	}
	s.rev.Grow()
	return true
}

// judge says with what status a handshake is refused, or 0, and why.
func (s *Server) judge(r *http.Request) (status int, why string) {
	if status := s.refusal(); status != 0 {
		return status, "on request"
	}
	if !s.cfg.AnyOrigin && !originMatches(r) {
		return http.StatusForbidden, "the Origin is missing or another site's"
	}
	s.mu.Lock()
	accept, now := s.accept, time.Now().Add(s.offset)
	s.mu.Unlock()
	if err := accept(token(r), now); err != nil {
		return http.StatusForbidden, "token: " + err.Error()
	}
	return 0, ""
}

// serve keeps a connection until it ends.
func (s *Server) serve(c *conn) {
	if c.closing != nil {
		c.close(c.closing.Code, c.closing.Text)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(c)
	}()
	end := s.read(c)
	_ = c.ws.Close() // it has ended, that is all that counts
	<-written
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	s.stats.LastEnd = end.Error()
	s.wake() // what waits goes to the connection before
	s.rev.Grow()
}

// SendRaw sends a message as it is, of websocket.TextMessage or websocket.BinaryMessage.
func (s *Server) SendRaw(kind int, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.current()
	if c == nil {
		return ErrNotConnected
	}
	c.queue = append(c.queue, raw{kind, data})
	s.wake()
	return nil
}

// current is the connection that was opened last, of those that the site has not ended; nil for none. Server.mu must be held.
func (s *Server) current() *conn {
	for _, c := range slices.Backward(s.conns) {
		if !c.ended {
			return c
		}
	}
	return nil
}

// wake tells the current connection that there is something to write. Server.mu must be held.
func (s *Server) wake() {
	c := s.current()
	if c == nil {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write writes what there is until the connection ends, and ends it where it cannot write: gorilla's connections write
// nothing more after a write that was late, so the bot would hear no more of the site.
func (s *Server) write(c *conn) {
	defer func() { _ = c.ws.Close() }() // the reader may have closed it
	ping, stopPing := every(s.cfg.PingInterval)
	defer stopPing()
	resend, stopResend := every(s.cfg.ResendAfter / 4)
	defer stopResend()
	for {
		for _, m := range s.next(c) {
			if !c.send(m) {
				return
			}
		}
		select {
		case <-c.wake:
		case <-ping:
			if !c.send(raw{websocket.TextMessage, wire.Ping()}) {
				return
			}
		case now := <-resend:
			s.overdue(now)
		case <-c.net.gone:
			return
		}
	}
}

// every ticks, or never for an interval of 0.
func every(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	if interval <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(interval)
	return ticker.C, ticker.Stop
}

// send writes a message; false when the connection is over, which the reader finds out for itself.
func (c *conn) send(m raw) bool {
	return c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)) == nil && c.ws.WriteMessage(m.kind, m.data) == nil
}

// next takes what a connection is to write now. The frames of a feedback are signed here.
func (s *Server) next(c *conn) []raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := c.queue
	c.queue = nil
	if s.current() != c {
		return out
	}
	t := s.nextFor(c)
	if t == nil {
		return out
	}
	s.wake() // for the next one
	frame, times, err := s.sign(t.out, c.v2)
	now := time.Now()
	if err != nil {
		t.Refused = "cannot be signed: " + err.Error()
		t.Revision = s.rev.Grow()
		return out
	}
	if t.SentAt.IsZero() {
		t.SentAt = now
	}
	if s.stats.firstFrame.IsZero() {
		s.stats.firstFrame = now
	}
	t.lastSent = now
	t.Frames += times
	s.stats.Frames += int64(times)
	t.Revision = s.rev.Grow()
	for range times {
		out = append(out, raw{websocket.TextMessage, frame})
	}
	return out
}

// read reads what the bot sends until the connection ends, and says how.
func (s *Server) read(c *conn) error {
	c.ws.SetReadLimit(maxFrame)
	answer := c.ws.PingHandler()
	c.ws.SetPingHandler(func(payload string) error {
		s.mu.Lock()
		s.stats.ControlPings++
		s.rev.Grow()
		s.mu.Unlock()
		return answer(payload)
	})
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return fmt.Errorf("connection: %w", err)
		}
		if s.cfg.OnFrame != nil {
			s.cfg.OnFrame(c.version(), data)
		}
		if kind == websocket.TextMessage && string(data) == string(wire.Ping()) {
			s.mu.Lock()
			s.stats.Pings++
			c.queue = append(c.queue, raw{websocket.TextMessage, wire.Pong()})
			s.rev.Grow()
			s.mu.Unlock()
			select {
			case c.wake <- struct{}{}:
			default:
			}
			continue
		}
		if c.v2 {
			s.receiveV2(c, data, time.Now())
		} else {
			s.receive(data, time.Now())
		}
	}
}
