// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

// The versions of the protocol.
const (
	ProtocolV1 = "v1"
	ProtocolV2 = "v2"
)

// allCapabilities are what a site of version 2 can take.
var allCapabilities = []string{
	wire.CapabilityStatuses, wire.CapabilityReplies, wire.CapabilityCreated, wire.CapabilityAttachments, wire.CapabilityKeyUpdate,
}

// Received is a frame of version 2 that the bot sent, but for acks and results.
type Received struct {
	Type string          `json:"type"`
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data"`
	// Times counts how often it came, KeyID is what it was signed with the first time, At when that was.
	Times int       `json:"times"`
	KeyID string    `json:"key_id"`
	At    time.Time `json:"at"`
}

// SetProtocol speaks another version with connections from now on; open ones stay.
func (s *Server) SetProtocol(protocol string) error {
	if protocol != ProtocolV1 && protocol != ProtocolV2 {
		return fmt.Errorf("protocol %q: want %s or %s", protocol, ProtocolV1, ProtocolV2)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protocol = protocol
	return nil
}

// subprotocols are those that a handshake may select.
func (s *Server) subprotocols() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.protocol == ProtocolV2 {
		return []string{wire.Subprotocol}
	}
	return nil
}

// Received returns the frames of version 2 that the bot sent, of a type, or of every one where it is "".
func (s *Server) Received(frameType string) []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Received{}
	for _, r := range s.received {
		if frameType == "" || r.Type == frameType {
			out = append(out, *r)
		}
	}
	return out
}

// greet begins a connection of version 2, and has what was not acknowledged sent again. Server.mu must be held.
func (s *Server) greet(c *conn) {
	if !s.faults.NoHello {
		s.queueV2(c, uuid.NewString(), wire.Hello{
			Software: "simulated-site", Protocol: 2, Capabilities: s.cfg.Capabilities, Keys: s.ring.IDs(), Preferred: s.key.ID(),
		})
	}
	waiting := map[*tracked]bool{}
	for _, t := range s.unsent {
		waiting[t] = true
	}
	for _, id := range s.order {
		if t := s.feedback[id]; t.Acks == 0 && t.Result == nil && t.Frames > 0 && !waiting[t] {
			s.unsent = append(s.unsent, t)
		}
	}
	s.wake()
}

// queueV2 signs a frame of the site's own and puts it in line. Server.mu must be held.
func (s *Server) queueV2(c *conn, id string, body wire.Body) {
	frame, err := wire.AppendV2(nil, wire.ToBot, id, body, s.key, time.Now().Add(s.offset).Unix(), uuid.NewString())
	if err != nil {
		return // without a key; what the bot sends cannot be verified either
	}
	c.queue = append(c.queue, raw{websocket.TextMessage, frame})
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// nextFor takes the next frame that a connection can carry, or nil. Server.mu must be held.
func (s *Server) nextFor(c *conn) *tracked {
	for i, t := range s.unsent {
		if c.v2 || t.out.frameType() == wire.TypeNewFeedback {
			s.unsent = append(s.unsent[:i:i], s.unsent[i+1:]...)
			return t
		}
	}
	return nil
}

func (o *Outgoing) frameType() string {
	if o.Type == "" {
		return wire.TypeNewFeedback
	}
	return o.Type
}

// signV2 prints the frame of a feedback in version 2.
func signV2(out Outgoing, key wire.Key, ts int64) ([]byte, error) {
	body, err := wire.NewBody(out.frameType(), out.Data)
	if err != nil {
		return nil, err
	}
	return wire.AppendV2(nil, wire.ToBot, out.ID, body, key, ts, out.Nonce)
}

// receiveV2 takes a frame of the bot's in version 2.
func (s *Server) receiveV2(c *conn, data []byte, at time.Time) {
	e, err := wire.DecodeV2(data, wire.ToSite, wire.DefaultLimits())
	if err == nil && e.Type == wire.TypePong {
		s.count(func(c *counters) { c.Pongs++ })
		return
	}
	if err != nil || !e.Signed() {
		s.count(func(c *counters) { c.Malformed++ })
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.rev.Grow()
	signature, err := e.Verify(s.ring, at.Add(s.offset), resultTTL)
	if err != nil {
		s.stats.Missigned++
		if t, known := s.feedback[e.ID]; known && e.Type == wire.TypeFeedbackResult {
			t.Refused = wire.Reason(err)
		}
		return
	}
	switch e.Type {
	case wire.TypeAck:
		s.stats.Acked++
		if t, known := s.feedback[e.ID]; known {
			t.Acks++
			t.Revision = s.rev.Grow()
		}
		return
	case wire.TypeFeedbackResult:
		s.answered(&e, signature, at)
	default:
		s.told(&e, signature, at)
	}
	if s.faults.NoAcks || s.faults.NoAcksOf == e.Type {
		return
	}
	s.queueV2(c, e.ID, wire.Ack{})
	if s.faults.AckTwice {
		s.queueV2(c, e.ID, wire.Ack{})
	}
}

// answered records a result. Server.mu must be held.
func (s *Server) answered(e *wire.Envelope, signature wire.Signature, at time.Time) {
	answer, err := e.Answer()
	t, known := s.feedback[e.ID]
	switch {
	case err != nil:
		s.stats.Malformed++
		return
	case !known:
		s.stats.Unknown++
		return
	}
	s.settle(t, Result{
		OK: answer.OK, TicketID: answer.TicketID, MessageID: answer.MessageID, SentAt: answer.SentAt, Error: answer.Error,
		Code: answer.Code, Retryable: answer.Retryable,
		KeyID: signature.KeyID, Form: signature.Form.String(), At: at, Latency: Duration(at.Sub(t.SentAt)),
	})
	t.Revision = s.rev.Grow()
	if s.cfg.OnResult != nil {
		s.cfg.OnResult(t.Sent)
	}
}

// told records what the bot tells. Server.mu must be held.
func (s *Server) told(e *wire.Envelope, signature wire.Signature, at time.Time) {
	key := e.Type + " " + e.ID
	if known := s.frames[key]; known != nil {
		known.Times++
		return
	}
	data, err := e.Data.AppendCanonical(nil, wire.FormUTF8)
	if err != nil {
		s.stats.Malformed++
		return
	}
	s.frames[key] = &Received{Type: e.Type, ID: e.ID, Data: data, Times: 1, KeyID: signature.KeyID, At: at}
	s.received = append(s.received, s.frames[key])
	s.stats.Told++
}

func (s *Server) controlReceived(r *http.Request) (any, error) {
	q := control.Query{R: r}
	least := q.Number("min")
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	frameType := r.URL.Query().Get("type")
	// A wait that ends early answers with what there is.
	_ = s.WaitFor(ctx, func() bool { return int64(len(s.Received(frameType))) >= least })
	return s.Received(frameType), nil
}

func (s *Server) controlProtocol(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		Protocol string `json:"protocol"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.SetProtocol(body.Protocol)
}
