// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"maps"
	"time"
)

// Stats counts what the Server did since it began.
type Stats struct {
	Requests        int64            `json:"requests"`          // Bot API requests of any outcome
	Methods         map[string]int64 `json:"methods"`           // by method in lower case; others under "unknown"
	Errors          map[int]int64    `json:"errors"`            // by error code
	Faults          map[string]int64 `json:"faults"`            // met by a request, by kind
	Sent            int64            `json:"sent"`              // messages the bot posted
	Repeats         int64            `json:"repeats"`           // of them, those with a text posted to the same chat before
	Edited          int64            `json:"edited"`            // edits that changed something
	Copied          int64            `json:"copied"`            // messages the bot copied
	Topics          int64            `json:"topics"`            // topics the bot began
	Presses         int64            `json:"presses"`           // of buttons
	Answered        int64            `json:"answered"`          // presses that the bot answered
	TooManyRequests int64            `json:"too_many_requests"` // 429s, injected ones too
	Conflicts       int64            `json:"conflicts"`         // 409s
	PendingUpdates  int              `json:"pending_updates"`   // not confirmed yet
	Updates         int64            `json:"updates"`           // made so far
	Polls           int64            `json:"polls"`             // getUpdates requests that had to wait, begun so far
}

// Stats returns a copy of the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Methods, out.Errors, out.Faults = maps.Clone(out.Methods), maps.Clone(out.Errors), maps.Clone(out.Faults)
	out.PendingUpdates = len(s.updates.pending)
	out.Updates = s.updates.nextID - firstUpdateID
	return out
}

// RequestEntry is one Bot API request as it was logged. It never holds the token.
type RequestEntry struct {
	Time     time.Time         `json:"time"`
	Method   string            `json:"method"`
	Params   map[string]string `json:"params,omitempty"`
	Code     int               `json:"code"` // 200, the error code, or 0 if the answer never left
	Error    string            `json:"error,omitempty"`
	Fault    FaultKind         `json:"fault,omitempty"`
	Duration time.Duration     `json:"duration_ns"`
}

func (e *RequestEntry) setError(err error) {
	e.Code = 200
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		e.Code, e.Error = refusal.Code, refusal.Description
	case err != nil:
		e.Code, e.Error = 0, err.Error()
	}
}

const logSize = 1024

// requestLog keeps the last requests.
type requestLog struct {
	entries [logSize]RequestEntry
	next    int // total so far
}

// record counts a request and logs it.
func (s *Server) record(e RequestEntry, start time.Time) {
	e.Duration = time.Since(start)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.stats
	st.Requests++
	if _, known := methods[e.Method]; known {
		st.Methods[e.Method]++
	} else {
		st.Methods["unknown"]++
	}
	switch {
	case e.Code == 429:
		st.TooManyRequests++
	case e.Code == 409:
		st.Conflicts++
	}
	if e.Error != "" && e.Code != 0 {
		st.Errors[e.Code]++
	}
	s.log.entries[s.log.next%logSize] = e
	s.log.next++
}

// Requests returns the last requests, at most limit of them (0: all that are kept, which is 1024), oldest first.
func (s *Server) Requests(limit int) []RequestEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(s.log.next, logSize)
	if limit > 0 {
		n = min(n, limit)
	}
	out := make([]RequestEntry, 0, n)
	for i := s.log.next - n; i < s.log.next; i++ {
		out = append(out, s.log.entries[i%logSize])
	}
	return out
}
