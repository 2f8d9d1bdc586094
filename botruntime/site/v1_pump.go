// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// resultsAtOnce is how many results are read and written together.
	resultsAtOnce = 256
	// confirmPause is how long written results wait to be confirmed together: each confirmation is a commit.
	confirmPause = 100 * time.Millisecond
	// sentAtLayout is how results tell the time, in UTC.
	sentAtLayout = "2006-01-02T15:04:05"
)

// pump writes results as they become due, and confirms those that the site has read.
func (s *v1) pump(ctx context.Context) error {
	if s.cfg.Desk != nil {
		if err := s.cfg.Desk.Meet(ctx, false); err != nil {
			return explainStore(err)
		}
	}
	var written, confirmed int64 // the highest Seq
	confirm := time.NewTimer(confirmPause)
	confirm.Stop()
	waiting := false // for the timer, or for the pong that follows it
	for look := true; ; {
		if look {
			due, err := s.writeDue(ctx, written)
			if err != nil {
				return err
			}
			if len(due) > 0 {
				written = due[len(due)-1].Seq
			}
			look = len(due) == resultsAtOnce
		}
		if written > confirmed && !waiting {
			confirm.Reset(confirmPause)
			waiting = true
		}
		if look {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.store.ResultsReady():
			look = true
		case <-confirm.C:
			s.asked.Store(written)
			if err := s.writer.send(ctx, []message{confirmingPing(written)}); err != nil {
				return err
			}
		case seq := <-s.pongs:
			if seq != s.asked.Load() {
				continue // a pong that was sent twice
			}
			if err := s.store.ConfirmResults(ctx, seq); err != nil {
				return explainStore(err)
			}
			s.asked.Store(0)
			confirmed, waiting = seq, false
		}
	}
}

// writeDue writes the results that are due behind a Seq, a batch of them at most.
func (s *v1) writeDue(ctx context.Context, after int64) ([]store.Result, error) {
	due, err := s.store.DueResults(ctx, after, resultsAtOnce)
	switch {
	case err != nil:
		return nil, explainStore(err)
	case len(due) == 0:
		return nil, nil
	}
	batch, err := s.frames(due)
	if err != nil {
		return nil, explainStore(err)
	}
	return due, s.writer.send(ctx, batch)
}

// frames signs results.
func (s *v1) frames(due []store.Result) ([]message, error) {
	batch := make([]message, 0, len(due))
	for _, d := range due {
		result := wire.Result{ID: d.RequestID, OK: d.Failure == "", Error: d.Failure}
		if result.OK {
			result.TicketID, result.MessageID, result.SentAt = d.TicketID, d.MessageID, d.SentAt.UTC().Format(sentAtLayout)
		}
		frame, err := s.sign(result, d.Signature)
		if err != nil {
			return nil, fmt.Errorf("sign a result: %w", err)
		}
		batch = append(batch, textMessage(frame))
	}
	return batch, nil
}

// confirmingPing asks the site to show that it has read everything up to a Seq.
func confirmingPing(seq int64) message {
	return message{websocket.PingMessage, strconv.AppendInt(nil, seq, 10)}
}

// pong is told of every pong; the reader calls it.
func (s *v1) pong(payload string) {
	asked := s.asked.Load()
	if asked == 0 || payload != strconv.FormatInt(asked, 10) {
		return // the answer to a probe, or nobody's
	}
	select {
	case s.pongs <- asked:
	default: // said already
	}
}
