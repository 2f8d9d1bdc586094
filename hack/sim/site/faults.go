// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Faults are what the site does wrong until they are replaced.
type Faults struct {
	// Refuse answers handshakes with a status instead of a WebSocket.
	Refuse *Refusal `json:"refuse,omitempty"`
	// CloseAtOnce accepts connections and closes them right away.
	CloseAtOnce *Closing `json:"close_at_once,omitempty"`
	// HandshakeDelay is waited before a handshake is answered.
	HandshakeDelay Duration `json:"handshake_delay,omitzero"`
	// StopReading leaves what the bot writes unread. Frozen does, and writes nothing either: a half-open connection.
	StopReading bool `json:"stop_reading,omitempty"`
	Frozen      bool `json:"frozen,omitempty"`
	// NoAcks leaves the bot's frames of version 2 unacknowledged, NoAcksOf those of a type; AckTwice acknowledges each twice.
	NoAcks   bool   `json:"no_acks,omitempty"`
	NoAcksOf string `json:"no_acks_of,omitempty"` // a type
	AckTwice bool   `json:"ack_twice,omitempty"`
	// NoHello begins connections of version 2 without a hello.
	NoHello bool `json:"no_hello,omitempty"`
}

// Refusal is a status to answer handshakes with.
type Refusal struct {
	Status int `json:"status"`
	// Times ends it after so many; 0 is never.
	Times int `json:"times,omitempty"`
}

// Closing is a code to close connections with.
type Closing struct {
	Code int    `json:"code"`
	Text string `json:"text,omitempty"`
	// Times ends it after so many; 0 is never.
	Times int `json:"times,omitempty"`
}

// SetFaults replaces the faults; the zero Faults end them all.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f.clone()
	for _, c := range s.conns {
		c.shape(f)
	}
	s.rev.Grow()
}

// Faults returns the faults in force.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.clone()
}

// clone copies what is counted down.
func (f Faults) clone() Faults {
	if f.Refuse != nil {
		refuse := *f.Refuse
		f.Refuse = &refuse
	}
	if f.CloseAtOnce != nil {
		closing := *f.CloseAtOnce
		f.CloseAtOnce = &closing
	}
	return f
}

// shape holds up the connection as the faults want it.
func (c *conn) shape(f Faults) {
	c.net.reads.set(f.StopReading || f.Frozen || c.frozen)
	c.net.writes.set(f.Frozen || c.frozen)
}

// Freeze makes half-open connections of those that are open now: what is written to them goes nowhere, and they say nothing more,
// until the Server is closed. It tells how many they are. Connections that come later are sound.
func (s *Server) Freeze() (frozen int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if !c.frozen {
			c.frozen = true
			c.shape(s.faults)
			frozen++
		}
	}
	return frozen
}

// dropFrozen ends the half-open connections.
func (s *Server) dropFrozen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.frozen {
			c.net.reset()
		}
	}
}

// refusal is the status that a handshake is refused with by a fault, or 0.
func (s *Server) refusal() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := s.faults.Refuse
	if refuse == nil {
		return 0
	}
	if refuse.Times == 1 {
		s.faults.Refuse = nil
	}
	refuse.Times = max(refuse.Times-1, 0)
	return refuse.Status
}

// closing is what a new connection is closed with by a fault, or nil. Server.mu must be held.
func (s *Server) closing() *Closing {
	closing := s.faults.CloseAtOnce
	if closing == nil {
		return nil
	}
	if closing.Times == 1 {
		s.faults.CloseAtOnce = nil
	}
	closing.Times = max(closing.Times-1, 0)
	return closing
}

// delayHandshake waits as the faults want it; false when the client has left.
func (s *Server) delayHandshake(r *http.Request) bool {
	timer := time.NewTimer(time.Duration(s.Faults().HandshakeDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
	case <-r.Context().Done():
	}
	return false
}

// end marks the open connections, but for those that are half-open, as ended, and returns them: what is sent from now on waits for
// the next connection.
func (s *Server) end() (ended []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if !c.frozen {
			c.ended = true
			ended = append(ended, c)
		}
	}
	return ended
}

// Drop ends the connections with a reset, without a goodbye.
func (s *Server) Drop() {
	for _, c := range s.end() {
		c.net.reset()
	}
}

// CloseConnections closes the connections with a close frame.
func (s *Server) CloseConnections(code int, text string) {
	for _, c := range s.end() {
		c.close(code, text)
	}
}

// close says goodbye; the bot has a second to answer.
func (c *conn) close(code int, text string) {
	deadline := time.Now().Add(time.Second)
	if c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), deadline) != nil ||
		c.ws.SetReadDeadline(deadline) != nil {
		c.net.reset()
	}
}
