// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"fmt"
	"time"
)

// Rate allows so many messages, edits included, in any window of time. 0 messages mean no limit.
type Rate struct {
	Messages int
	Window   time.Duration
}

// Limits are Telegram's rate limits. The zero value limits nothing.
type Limits struct {
	// Group is for each group, supergroup and channel; Private for each private chat; Overall for all chats together.
	Group   Rate `json:"group"`
	Private Rate `json:"private"`
	Overall Rate `json:"overall"`
}

// RealLimits returns the limits that Telegram documents.
func RealLimits() Limits {
	return Limits{
		Group:   Rate{Messages: 20, Window: time.Minute},
		Private: Rate{Messages: 1, Window: time.Second},
		Overall: Rate{Messages: 30, Window: time.Second},
	}
}

// Scaled returns the limits with all windows multiplied by factor, so that a test of minutes takes seconds. The
// retry_after of a refusal stays in whole seconds, at least one.
func (l Limits) Scaled(factor float64) Limits {
	for _, r := range []*Rate{&l.Group, &l.Private, &l.Overall} {
		r.Window = time.Duration(float64(r.Window) * factor)
	}
	return l
}

// rateJSON spells the window as a Go duration.
type rateJSON struct {
	Messages int    `json:"messages"`
	Window   string `json:"window,omitempty"`
}

// MarshalJSON writes {"messages": 20, "window": "1m0s"}.
func (r Rate) MarshalJSON() ([]byte, error) {
	return json.Marshal(rateJSON{Messages: r.Messages, Window: r.Window.String()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Rate) UnmarshalJSON(data []byte) error {
	var j rateJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	r.Messages, r.Window = j.Messages, 0
	if j.Window != "" {
		d, err := time.ParseDuration(j.Window)
		if err != nil {
			return fmt.Errorf("read rate: %w", err)
		}
		r.Window = d
	}
	if r.Messages < 0 || r.Messages > 0 && r.Window <= 0 {
		return fmt.Errorf("rate of %d messages needs a window", r.Messages)
	}
	return nil
}

// SetLimits replaces the rate limits; what was sent before counts.
func (s *Server) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// window remembers when messages were taken, for one sliding window.
type window struct {
	times []time.Time // oldest first
}

// wait returns how long it is until one more message fits, 0 when it fits now.
func (w *window) wait(r Rate, now time.Time) time.Duration {
	if r.Messages <= 0 {
		w.times = w.times[:0]
		return 0
	}
	old := 0
	for old < len(w.times) && now.Sub(w.times[old]) >= r.Window {
		old++
	}
	w.times = w.times[old:]
	if len(w.times) < r.Messages {
		return 0
	}
	return r.Window - now.Sub(w.times[len(w.times)-r.Messages])
}

func (w *window) take(r Rate, now time.Time) {
	if r.Messages > 0 {
		w.times = append(w.times, now)
	}
}

// admit counts a message to c against the limits, or refuses it with the time to wait.
func (s *Server) admit(c *chat) error {
	rate := s.limits.Group
	if c.Type == Private {
		rate = s.limits.Private
	}
	now := s.clock()
	wait := max(c.window.wait(rate, now), s.overall.wait(s.limits.Overall, now))
	if wait > 0 {
		return tooManyRequests(int((wait + time.Second - 1) / time.Second))
	}
	c.window.take(rate, now)
	s.overall.take(s.limits.Overall, now)
	return nil
}
