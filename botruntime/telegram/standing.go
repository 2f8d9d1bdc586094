// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"maps"
	"slices"
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
	topicsPart              // topics
	parts
)

// longWait is how long Telegram may ask to wait before that counts as not reachable.
const longWait = time.Minute

// standing gathers what the parts learn, and tells Health what has changed.
type standing struct {
	health Health

	mu       sync.Mutex
	problems [parts]verdict    // those without a reason are none
	chats    map[int64]verdict // of the sender in the staff's other chats
	known    bool              // something worked
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

// chatWorks says that a message to one of the staff's other chats was taken.
func (s *standing) chatWorks(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, failed := s.chats[id]; failed {
		delete(s.chats, id)
		s.tell()
	}
}

// chatFails says that a message to one of the staff's other chats was not.
func (s *standing) chatFails(id int64, v verdict) {
	if v.reason == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chats == nil {
		s.chats = map[int64]verdict{}
	}
	s.chats[id] = v
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
	problems := s.problems[:]
	for _, id := range slices.Sorted(maps.Keys(s.chats)) {
		problems = append(problems, s.chats[id])
	}
	for _, v := range problems {
		if v.reason != "" && (now.reason == v1alpha1.ReasonReachable || v.hinders() && !now.hinders()) {
			now = verdict{reason: v.reason, message: v.message, wait: v.wait, harmless: v.harmless}
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
	if v.harmless {
		return false
	}
	switch v.reason {
	case v1alpha1.ReasonReachable:
		return false
	case v1alpha1.ReasonRateLimited:
		return v.wait > longWait
	}
	return true
}
