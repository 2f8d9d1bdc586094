// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// saboteur makes Telegram fail, in one way after the other.
type saboteur struct {
	w    *world
	dice *rand.Rand
	// turn is held while a fault is in force.
	turn sync.Mutex

	mu sync.Mutex
	// lost are answers to messages and copies that were taken, and whose answers never came.
	lost int
	// lostTopics are those about topics.
	lostTopics int
	hits       map[telegram.FaultKind]int64
}

var (
	sending   = []string{"sendMessage", "copyMessage"}
	arranging = []string{"createForumTopic", "closeForumTopic", "reopenForumTopic"}
	// callsToFail are the calls that a fault hits; none are all.
	callsToFail = [][]string{nil, sending, {"getUpdates"}, {"editMessageText"}, {"answerCallbackQuery", "setMessageReaction"}, arranging}
	failures    = []telegram.FaultKind{telegram.FaultInternal, telegram.FaultBadGateway, telegram.FaultTooManyRequests, telegram.FaultReset,
		telegram.FaultHang, telegram.FaultDelay, telegram.FaultResetAfter, telegram.FaultTruncate}
)

// run goes on until stop is closed, and leaves no fault behind.
func (s *saboteur) run(stop <-chan struct{}) {
	for first := s.dice.IntN(len(failures)); ; first++ {
		f := telegram.Fault{Kind: failures[first%len(failures)], Every: 1 + s.dice.IntN(3), RetryAfter: 1}
		calls := s.dice.IntN(len(callsToFail))
		if f.Kind == telegram.FaultResetAfter || f.Kind == telegram.FaultTruncate {
			calls = 1 + s.dice.IntN(len(callsToFail)-1) // so that lost answers can be counted
		}
		if f.Kind == telegram.FaultDelay {
			f.DelayMillis = 20 + s.dice.IntN(400)
		}
		f.Methods = callsToFail[calls]
		s.turn.Lock()
		more := s.inject(f, stop, 100*time.Millisecond+spread(s.dice, 1500*time.Millisecond))
		s.turn.Unlock()
		if !more || !wait(stop, spread(s.dice, 2*time.Second)) {
			return
		}
	}
}

// inject has a fault in force for a time.
func (s *saboteur) inject(f telegram.Fault, stop <-chan struct{}, d time.Duration) (more bool) {
	before := s.w.telegram.Stats().Faults[string(f.Kind)]
	must(s.w.t, s.w.telegram.SetFaults(f))
	more = wait(stop, d)
	must(s.w.t, s.w.telegram.SetFaults())
	n := s.w.telegram.Stats().Faults[string(f.Kind)] - before
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits[f.Kind] += n
	if (f.Kind == telegram.FaultResetAfter || f.Kind == telegram.FaultTruncate) && len(f.Methods) > 0 {
		switch f.Methods[0] {
		case sending[0]:
			s.lost += int(n)
		case arranging[0]:
			s.lostTopics += int(n)
		}
	}
	return more
}

// timeOut has one call to the group go unanswered until the bot gives it up by itself, which takes half a minute.
func (s *saboteur) timeOut(stop <-chan struct{}) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.inject(telegram.Fault{Kind: telegram.FaultHang, Methods: sending, ChatID: group, Times: 1}, stop, 33*time.Second)
}
