// SPDX-License-Identifier: Apache-2.0

package site

import (
	"slices"
	"time"
)

// Stats are counters since the start.
type Stats struct {
	// Connected is whether a connection is open; Connections counts those ever opened, Refused the handshakes refused.
	Connected   bool  `json:"connected"`
	Connections int64 `json:"connections"`
	Refused     int64 `json:"refused"`
	// LastRefusal says why the last handshake was refused; LastEnd how the last connection ended.
	LastRefusal string `json:"last_refusal,omitempty"`
	LastEnd     string `json:"last_end,omitempty"`
	// Feedback counts feedbacks, Frames what was written of them.
	Feedback int64 `json:"feedback"`
	Frames   int64 `json:"frames"`
	// Answered counts feedbacks with a good result, OK and Failed what it said.
	Answered int64 `json:"answered"`
	OK       int64 `json:"ok"`
	Failed   int64 `json:"failed"`
	// Repeated counts good results of feedbacks that had one, Outdated results that are rightly signed with a key that is no
	// longer held, Missigned those with another bad or old signature, Unknown good results of nothing that was sent, Malformed
	// any other frame.
	Repeated  int64 `json:"repeated"`
	Outdated  int64 `json:"outdated"`
	Missigned int64 `json:"missigned"`
	Unknown   int64 `json:"unknown"`
	Malformed int64 `json:"malformed"`
	// Protocol is what the connection that was opened last speaks, ProtocolV1 or ProtocolV2. Acked counts frames that the bot
	// acknowledged, Told what it told the site in version 2, without repeats.
	Protocol string `json:"protocol,omitempty"`
	Acked    int64  `json:"acked"`
	Told     int64  `json:"told"`
	// Pings and Pongs count the bot's JSON frames of these types, ControlPings its WebSocket pings.
	Pings        int64 `json:"pings"`
	Pongs        int64 `json:"pongs"`
	ControlPings int64 `json:"control_pings"`
	// P50, P99 and Max are latencies of results; PerSecond counts results between the first frame and the last result.
	P50       Duration `json:"p50"`
	P99       Duration `json:"p99"`
	Max       Duration `json:"max"`
	PerSecond float64  `json:"per_second"`
}

// counters are what Stats are made of. Server.mu guards them.
type counters struct {
	Stats
	latencies              []time.Duration
	firstFrame, lastResult time.Time
}

// Stats returns the counters. It sorts the latencies, so it is not for tight loops.
func (s *Server) Stats() Stats {
	out := s.counts()
	s.mu.Lock()
	sorted := slices.Clone(s.stats.latencies)
	s.mu.Unlock()
	slices.Sort(sorted)
	if n := len(sorted); n > 0 {
		out.P50, out.P99, out.Max = Duration(sorted[n/2]), Duration(sorted[n*99/100]), Duration(sorted[n-1])
	}
	return out
}

// Connected is whether a connection is open. It is cheap, unlike Stats.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current() != nil
}

// Opened is how many connections were ever opened. It is cheap, too.
func (s *Server) Opened() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Connections
}

// counts is Stats without latencies.
func (s *Server) counts() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats.Stats
	c := s.current()
	if out.Connected = c != nil; out.Connected {
		out.Protocol = ProtocolV1
		if c.v2 {
			out.Protocol = ProtocolV2
		}
	}
	if span := s.stats.lastResult.Sub(s.stats.firstFrame).Seconds(); span > 0 {
		out.PerSecond = float64(out.Answered) / span
	}
	return out
}
