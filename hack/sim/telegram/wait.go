// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

// ErrClosed means that the Server was closed during a wait.
var ErrClosed = control.ErrClosed

// WaitFor waits until condition is true, which it evaluates now and after each change of anything that a person can
// see; changes that come while it runs count as one. The condition may call any method of s.
func (s *Server) WaitFor(ctx context.Context, condition func() bool) error {
	return s.rev.WaitFor(ctx, condition)
}

// WaitMessages waits until a chat has at least n messages, and returns them.
func (s *Server) WaitMessages(ctx context.Context, chatID int64, n int) ([]Message, error) {
	err := s.WaitFor(ctx, func() bool { return s.messageCount(chatID) >= n })
	got := s.Messages(chatID)
	if err != nil {
		return got, fmt.Errorf("%d of %d messages: %w", len(got), n, err)
	}
	return got, nil
}

func (s *Server) messageCount(chatID int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.chats[chatID]; ok {
		return len(ch.messages)
	}
	return 0
}

// WaitCallbackAnswer waits until the bot has answered a press.
func (s *Server) WaitCallbackAnswer(ctx context.Context, id string) (CallbackAnswer, error) {
	var answer CallbackAnswer
	err := s.WaitFor(ctx, func() (ok bool) {
		answer, ok = s.CallbackAnswer(id)
		return ok
	})
	return answer, err
}
