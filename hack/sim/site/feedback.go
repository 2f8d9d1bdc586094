// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// ErrUnknown means that no feedback has the id.
var ErrUnknown = errors.New("no such feedback")

// Outgoing is a feedback to send, and what is to be wrong with it. It is signed when it is sent, unless something is wrong.
type Outgoing struct {
	// Type is new_feedback unless given; frames of other types wait for a connection of version 2.
	Type string `json:"type,omitempty"`
	// Data is the payload: a JSON object.
	Data json.RawMessage `json:"data"`
	// ID and Nonce are random UUIDs unless given. An ID that was sent before makes this another frame of that feedback.
	ID    string `json:"id,omitempty"`
	Nonce string `json:"nonce,omitempty"`
	// Age, such as "1m", puts its ts into the past, or into the future where it begins with a minus.
	Age Duration `json:"age,omitempty"`
	// Forged signs it with a key that nobody has.
	Forged bool `json:"forged,omitempty"`
	// Repeat sends the very same frame so many times more.
	Repeat int `json:"repeat,omitempty"`
}

// Duration is a time.Duration that reads and prints as Go's in JSON.
type Duration time.Duration

// MarshalText prints the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Sent is a feedback and what became of it.
type Sent struct {
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data"`
	// CreatedAt is when it was given to the Server, SentAt when it was first written to a connection.
	CreatedAt time.Time `json:"created_at"`
	SentAt    time.Time `json:"sent_at,omitzero"`
	// Frames counts how often it was written, Results the good results that came, one of which is the first.
	Frames  int `json:"frames"`
	Results int `json:"results"`
	// Acks counts how often it was acknowledged, in version 2.
	Acks int `json:"acks,omitempty"`
	// Result is the first good result that says ok, or the first one where none does.
	Result *Result `json:"result,omitempty"`
	// Refused says what was wrong with the last result that was not good.
	Refused string `json:"refused,omitempty"`
	// Revision grows with every change of anything.
	Revision int64 `json:"revision"`
}

// Result is a verified result.
type Result struct {
	OK        bool   `json:"ok"`
	TicketID  string `json:"ticket_id,omitempty"`
	MessageID int64  `json:"message_id,omitempty"`
	SentAt    string `json:"sent_at,omitempty"`
	Error     string `json:"error,omitempty"`
	// Code and Retryable are version 2's.
	Code      string `json:"error_code,omitempty"`
	Retryable bool   `json:"retryable,omitempty"`
	// KeyID and Form are what it was signed with.
	KeyID string `json:"key_id"`
	Form  string `json:"form"`
	// At is when it came; Latency is since the feedback was first written.
	At      time.Time `json:"at"`
	Latency Duration  `json:"latency"`
}

// tracked is a feedback that the Server keeps. It is guarded by Server.mu.
type tracked struct {
	Sent
	out      Outgoing
	lastSent time.Time
}

// Send sends a feedback, or keeps it until there is a connection; data is anything that makes a JSON object.
func (s *Server) Send(data any) (id string, err error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode the feedback: %w", err)
	}
	return s.SendOut(Outgoing{Data: raw})
}

// SendOut is Send for a feedback with something wrong.
func (s *Server) SendOut(out Outgoing) (id string, err error) {
	if len(out.Data) == 0 || out.Data[0] != '{' || !json.Valid(out.Data) {
		return "", errors.New("data must be a JSON object")
	}
	if out.ID == "" {
		out.ID = uuid.NewString()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.feedback[out.ID]
	if !known {
		t = &tracked{Sent: Sent{ID: out.ID, CreatedAt: time.Now()}}
		s.feedback[out.ID] = t
		s.order = append(s.order, out.ID)
		s.stats.Feedback++
	}
	t.Data, t.out = out.Data, out
	s.unsent = append(s.unsent, t)
	t.Revision = s.rev.Grow()
	s.wake()
	return out.ID, nil
}

// sign prints the frame of a feedback; frames is how often to write it.
func (s *Server) sign(out Outgoing, v2 bool) (frame []byte, frames int, err error) {
	key := s.key
	if key.ID() == "" {
		return nil, 0, errors.New("the site has no HMAC key")
	}
	if out.Forged {
		if key, err = wire.NewKey([]byte(uuid.NewString())); err != nil {
			return nil, 0, err
		}
	}
	if out.Nonce == "" {
		out.Nonce = uuid.NewString()
	}
	ts := time.Now().Add(s.offset - time.Duration(out.Age)).Unix()
	if v2 {
		frame, err = signV2(out, key, ts)
		return frame, 1 + out.Repeat, err
	}
	frame, err = wire.AppendNewFeedback(nil, out.ID, out.Data, key, s.form, ts, out.Nonce)
	return frame, 1 + out.Repeat, err
}

// Sent returns a feedback; false where there is none with the id.
func (s *Server) Sent(id string) (Sent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.feedback[id]
	if !ok {
		return Sent{}, false
	}
	return t.Sent, true
}

// All returns the feedback that changed after a revision, in the order it was sent, the last limit (0: all) of it.
func (s *Server) All(since int64, limit int) []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Sent{}
	from := 0
	if limit > 0 {
		from = max(0, len(s.order)-limit)
	}
	for _, id := range s.order[from:] {
		if t := s.feedback[id]; t.Revision > since {
			out = append(out, t.Sent)
		}
	}
	return out
}

// overdue puts what was sent a while ago and not answered in line again.
func (s *Server) overdue(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		t := s.feedback[id]
		if t.Result == nil && t.Acks == 0 && !t.lastSent.IsZero() && now.Sub(t.lastSent) >= s.cfg.ResendAfter {
			t.lastSent = time.Time{} // in line
			s.unsent = append(s.unsent, t)
		}
	}
	s.wake()
}
