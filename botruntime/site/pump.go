// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// resultsAtOnce is how many results are read and written together.
	resultsAtOnce = 256
	// sentAtLayout is how results tell the time, in UTC.
	sentAtLayout = "2006-01-02T15:04:05"
)

// pump writes results as they become due, and confirms those that the site has read.
func (s *session) pump(ctx context.Context) error {
	var written, confirmed int64 // the highest Seq
	for look := true; ; {
		var batch []message
		if look {
			due, err := s.store.DueResults(ctx, written, resultsAtOnce)
			if err != nil {
				return explainStore(err)
			}
			if batch, err = s.frames(due); err != nil {
				return explainStore(err)
			}
			if len(due) > 0 {
				written = due[len(due)-1].Seq
			}
			look = len(due) == resultsAtOnce
		}
		if written > confirmed && s.asked.CompareAndSwap(0, written) {
			batch = append(batch, confirmingPing(written))
		}
		if len(batch) > 0 {
			if err := s.writer.send(ctx, batch); err != nil {
				return err
			}
		}
		if look {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.store.ResultsReady():
			look = true
		case seq := <-s.pongs:
			if seq != s.asked.Load() {
				continue // a pong that was sent twice
			}
			if err := s.store.ConfirmResults(ctx, seq); err != nil {
				return explainStore(err)
			}
			confirmed = seq
			s.asked.Store(0)
		}
	}
}

// frames signs results.
func (s *session) frames(due []store.Result) ([]message, error) {
	batch := make([]message, 0, len(due)+1)
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
func (s *session) pong(payload string) {
	asked := s.asked.Load()
	if asked == 0 || payload != strconv.FormatInt(asked, 10) {
		return // the answer to a probe, or nobody's
	}
	select {
	case s.pongs <- asked:
	default: // said already
	}
}
