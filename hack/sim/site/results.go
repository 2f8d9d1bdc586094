// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// receive takes a frame of the bot's.
func (s *Server) receive(data []byte, at time.Time) {
	if string(data) == string(wire.Pong()) {
		s.count(func(c *counters) { c.Pongs++ })
		return
	}
	frame, err := wire.DecodeResult(data, wire.DefaultLimits())
	if err != nil {
		s.count(func(c *counters) { c.Malformed++ })
		return
	}
	s.mu.Lock()
	ring, former, now := s.ring, s.former, at.Add(s.offset)
	s.mu.Unlock()
	signature, err := frame.Verify(ring, now, resultTTL)
	outdated := false
	if errors.Is(err, wire.ErrBadSignature) {
		_, formerly := frame.Verify(former, now, resultTTL)
		outdated = formerly == nil
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.feedback[frame.ID]
	switch {
	case outdated:
		s.stats.Outdated++
		if known {
			t.Refused = "signed with a key that is no longer held"
		}
	case err != nil:
		s.stats.Missigned++
		if known {
			t.Refused = wire.Reason(err)
		}
	case !known:
		s.stats.Unknown++
	default:
		s.settle(t, Result{
			OK: frame.OK, TicketID: frame.TicketID, MessageID: frame.MessageID, SentAt: frame.SentAt, Error: frame.Error,
			KeyID: signature.KeyID, Form: signature.Form.String(), At: at, Latency: Duration(at.Sub(t.SentAt)),
		})
	}
	revision := s.rev.Grow()
	if known {
		t.Revision = revision
		if s.cfg.OnResult != nil {
			s.cfg.OnResult(t.Sent)
		}
	}
}

// settle records a good result. Server.mu must be held.
func (s *Server) settle(t *tracked, r Result) {
	t.Results++
	switch {
	case t.Result == nil:
		s.stats.Answered++
		s.stats.latencies = append(s.stats.latencies, time.Duration(r.Latency))
		s.stats.lastResult = r.At
	case r.OK && !t.Result.OK: // refused at first, and delivered when it was sent again
		s.stats.Failed--
		s.stats.Repeated++
	default:
		s.stats.Repeated++
		return
	}
	t.Result = &r
	if r.OK {
		s.stats.OK++
	} else {
		s.stats.Failed++
	}
}

func (s *Server) count(change func(*counters)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
	s.rev.Grow()
}
