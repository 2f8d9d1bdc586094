// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// part is a part of the package that learns how the bot stands with Telegram, in the order of their say.
type part int

const (
	profilePart part = iota // getMe, getChat
	senderPart              // posts in the staff's chat
	pollerPart              // getUpdates
	parts
)

// longWait is how long Telegram may ask to wait before that counts as not reachable.
const longWait = time.Minute

// standing gathers what the parts learn, and tells Health what has changed.
type standing struct {
	health Health

	mu       sync.Mutex
	problems [parts]verdict // those without a reason are none
	known    bool           // something worked
	told     verdict
}

// works says that a part's last call succeeded.
func (s *standing) works(p part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems[p] = verdict{}
	if p == senderPart { // who posts in the chat is in it
		s.problems[profilePart] = verdict{}
	}
	s.known = s.known || p != pollerPart
	s.tell()
}

// fails says that a part's last call failed.
func (s *standing) fails(p part, v verdict) {
	if v.reason == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems[p] = v
	s.tell()
}

// tell reports the first problem that hinders, or else the first one.
func (s *standing) tell() {
	now := verdict{reason: v1alpha1.ReasonReachable}
	for _, v := range s.problems {
		if v.reason != "" && (now.reason == v1alpha1.ReasonReachable || v.hinders() && !now.hinders()) {
			now = verdict{reason: v.reason, message: v.message, wait: v.wait}
		}
	}
	if now == s.told || now.reason == v1alpha1.ReasonReachable && !s.known {
		return
	}
	s.told = now
	s.health.Telegram(!now.hinders(), now.reason, now.message)
}

// hinders tells whether Telegram cannot be worked with. A short wait is everyday life at Telegram's limits.
func (v verdict) hinders() bool {
	switch v.reason {
	case v1alpha1.ReasonReachable:
		return false
	case v1alpha1.ReasonRateLimited:
		return v.wait > longWait
	}
	return true
}
