// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

// ErrClosed means that the Server was closed during a wait.
var ErrClosed = control.ErrClosed

// WaitFor waits until condition is true, which it evaluates now and after each change. The condition may call any method.
func (s *Server) WaitFor(ctx context.Context, condition func() bool) error {
	return s.rev.WaitFor(ctx, condition)
}

// WaitConnected waits for an open connection.
func (s *Server) WaitConnected(ctx context.Context) error { return s.WaitConnection(ctx, 1) }

// WaitConnection waits for an open connection, the n-th ever opened or a later one.
func (s *Server) WaitConnection(ctx context.Context, n int64) error {
	return s.WaitFor(ctx, func() bool {
		stats := s.counts()
		return stats.Connected && stats.Connections >= n
	})
}

// WaitResult waits for the verified result of a feedback.
func (s *Server) WaitResult(ctx context.Context, id string) (Result, error) {
	var result Result
	err := s.WaitFor(ctx, func() bool {
		sent, ok := s.Sent(id)
		if ok && sent.Result != nil {
			result = *sent.Result
		}
		return ok && sent.Result != nil
	})
	return result, err
}

// WaitResults waits until n feedbacks have a verified result.
func (s *Server) WaitResults(ctx context.Context, n int64) error {
	return s.WaitFor(ctx, func() bool { return s.counts().Answered >= n })
}
