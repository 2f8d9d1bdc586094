// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// Kinds of faults.
const (
	FaultInternal        FaultKind = "internal"          // 500 in an envelope; nothing done
	FaultBadGateway      FaultKind = "bad_gateway"       // 502 with an HTML page; nothing done
	FaultHang            FaultKind = "hang"              // no answer until the client leaves or the faults are replaced
	FaultReset           FaultKind = "reset"             // the connection is reset before anything was done
	FaultResetAfter      FaultKind = "reset_after"       // it is done, and the connection reset instead of the answer
	FaultTruncate        FaultKind = "truncate"          // it is done, and the answer breaks off in the middle
	FaultTooManyRequests FaultKind = "too_many_requests" // 429 with RetryAfter
	FaultUnauthorized    FaultKind = "unauthorized"      // 401, as for a token that was revoked
	FaultKicked          FaultKind = "kicked"            // 403: the bot was kicked
	FaultChatNotFound    FaultKind = "chat_not_found"    // 400: chat not found
	FaultRefused         FaultKind = "refused"           // 400 with Description
	FaultDelay           FaultKind = "delay"             // nothing but the delay
)

var faultKinds = []FaultKind{FaultInternal, FaultBadGateway, FaultHang, FaultReset, FaultResetAfter, FaultTruncate,
	FaultTooManyRequests, FaultUnauthorized, FaultKicked, FaultChatNotFound, FaultRefused, FaultDelay}

// Fault is a fault to inject. A request meets the first fault in force that fits it.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Methods are those it hits, in any case; none means all.
	Methods []string `json:"methods,omitempty"`
	// ChatID limits it to requests for one chat; 0 is any.
	ChatID int64 `json:"chat_id,omitempty"`
	// Skip lets so many fitting requests pass first; Every then hits only each n-th one (0 and 1: each); Times ends the
	// fault after so many hits (0: never).
	Skip  int `json:"skip,omitempty"`
	Every int `json:"every,omitempty"`
	Times int `json:"times,omitempty"`
	// RetryAfter is in seconds, for FaultTooManyRequests; 0 means 1.
	RetryAfter int `json:"retry_after,omitempty"`
	// Description is what FaultRefused says.
	Description string `json:"description,omitempty"`
	// DelayMillis is waited before anything else, whatever the kind.
	DelayMillis int `json:"delay_ms,omitempty"`
}

// activeFault is a fault in force. It is guarded by Server.mu but for ended.
type activeFault struct {
	Fault
	seen, hits int
	ended      chan struct{} // closed when the faults are replaced
}

// SetFaults replaces the faults in force; without arguments it ends them all. Requests that hang are let go.
func (s *Server) SetFaults(faults ...Fault) error {
	for _, f := range faults {
		if !slices.Contains(faultKinds, f.Kind) {
			return fmt.Errorf("unknown fault %q", f.Kind)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		close(f.ended)
	}
	s.faults = nil
	for _, f := range faults {
		s.faults = append(s.faults, &activeFault{Fault: f, ended: make(chan struct{})})
	}
	return nil
}

// FailNext makes the next times requests of a method fail ("" is any method), besides the faults already in force.
func (s *Server) FailNext(method string, kind FaultKind, times int) error {
	if !slices.Contains(faultKinds, kind) {
		return fmt.Errorf("unknown fault %q", kind)
	}
	f := &activeFault{Fault: Fault{Kind: kind, Times: max(times, 1)}, ended: make(chan struct{})}
	if method != "" {
		f.Methods = []string{method}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
	return nil
}

// Faults returns the faults in force.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Fault{}
	for _, f := range s.faults {
		if f.Times == 0 || f.hits < f.Times {
			out = append(out, f.Fault)
		}
	}
	return out
}

// nextFault returns the fault that a request meets, nil for none.
func (s *Server) nextFault(method string, p params) *activeFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		fits := len(f.Methods) == 0 || slices.ContainsFunc(f.Methods, func(m string) bool {
			return strings.EqualFold(m, method)
		})
		if !fits || f.ChatID != 0 && f.ChatID != p.int64("chat_id") || f.Times > 0 && f.hits >= f.Times {
			continue
		}
		f.seen++
		if n := f.seen - f.Skip; n <= 0 || (n-1)%max(f.Every, 1) != 0 {
			continue
		}
		f.hits++
		s.stats.Faults[string(f.Kind)]++
		return f
	}
	return nil
}

func faultKind(f *activeFault) FaultKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

// refusal is the error of the faults that are one.
func (f *activeFault) refusal() error {
	switch faultKind(f) {
	case FaultInternal:
		return &Error{Code: http.StatusInternalServerError, Description: "Internal Server Error"}
	case FaultTooManyRequests:
		return tooManyRequests(max(f.RetryAfter, 1))
	case FaultUnauthorized:
		return &Error{Code: http.StatusUnauthorized, Description: "Unauthorized"}
	case FaultKicked:
		return forbidden("bot was kicked from the supergroup chat")
	case FaultChatNotFound:
		return badRequest("chat not found")
	case FaultRefused:
		return badRequest(f.Description)
	}
	return nil
}

// sabotage does what a fault does before the request is handled. It returns true when nothing is left to do.
func (s *Server) sabotage(w http.ResponseWriter, r *http.Request, f *activeFault) bool {
	if f == nil {
		return false
	}
	if f.DelayMillis > 0 && !s.pause(r, time.Duration(f.DelayMillis)*time.Millisecond) {
		return true
	}
	switch f.Kind {
	case FaultBadGateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" +
			"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"))
		return true
	case FaultHang:
		select {
		case <-r.Context().Done():
		case <-f.ended:
		case <-s.done:
		}
		resetConnection(w)
		return true
	case FaultReset:
		resetConnection(w)
		return true
	}
	return false
}

// pause waits, and returns false if the client left meanwhile.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.done:
	case <-r.Context().Done():
		return false
	}
	return true
}

// ruinsAnswer tells whether the fault lets the request be handled and spoils its answer.
func (f *activeFault) ruinsAnswer() bool {
	return faultKind(f) == FaultResetAfter || faultKind(f) == FaultTruncate
}

// ruinAnswer sends what such a fault leaves of the answer.
func (s *Server) ruinAnswer(w http.ResponseWriter, f *activeFault, result any, err error) {
	if f.Kind == FaultTruncate {
		status, body := encodeAnswer(result, err)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler) // closes the connection in the middle of the body
	}
	resetConnection(w)
}

// resetConnection ends the connection with a TCP reset, or as roughly as the writer allows.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		panic(http.ErrAbortHandler)
	}
}
