// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"errors"
	"io"
	"math"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Why a frame was refused, as Health counts it.
const (
	RefusedBinary           = "binary"            // a binary message
	RefusedTooLarge         = "too_large"         // more bytes than the limit
	RefusedOverLimit        = "over_limit"        // too deep, or too many values
	RefusedInvalidMessage   = "invalid_message"   // not JSON, or not of the protocol's shape
	RefusedUnknownType      = "unknown_type"      // a type that the version spoken does not have
	RefusedInvalidSignature = "invalid_signature" // not signed with an accepted key
	RefusedExpired          = "expired"           // too old, or too far ahead
	RefusedInvalidPayload   = "invalid_payload"   // a field of the feedback is not what it should be
	RefusedReplayedNonce    = "replayed_nonce"    // the nonce was seen with another id
)

const (
	// discardFactor times the limit is how long a frame may be for the connection to survive it.
	discardFactor = 16
	// keptBuffer is how much of the reader's buffer outlives a large frame.
	keptBuffer = 64 << 10
)

// read reads frames until the connection ends.
func (s *session) read() error {
	defer close(s.tasks)
	ws, patience := s.link.ws, s.cfg.patience()
	extend := func() error { return ws.SetReadDeadline(time.Now().Add(patience)) }
	ws.SetReadLimit(int64(s.cfg.maxFrame()) * discardFactor)
	ws.SetPingHandler(func(payload string) error {
		s.writer.offer(message{websocket.PongMessage, []byte(payload)})
		return extend()
	})
	ws.SetPongHandler(func(payload string) error {
		s.speaks.pong(payload)
		return extend()
	})
	var buffer bytes.Buffer
	for {
		// Anew for every frame: the reader may have waited for the store, and that is not the site's silence.
		if err := extend(); err != nil {
			return explainRead(err, patience, s.link.jwt)
		}
		kind, frame, err := ws.NextReader()
		if err != nil {
			return explainRead(err, patience, s.link.jwt)
		}
		if !s.accepted.Load() {
			s.accept()
		}
		whole, err := readFrame(&buffer, frame, s.cfg.maxFrame())
		switch {
		case err != nil:
			return explainRead(err, patience, s.link.jwt)
		case kind == websocket.BinaryMessage:
			s.count(RefusedBinary, 0)
		case !whole:
			s.count(RefusedTooLarge, 0)
		default:
			s.reading = buffer.Len()
			s.speaks.handle(buffer.Bytes(), time.Now())
		}
	}
}

// readFrame reads a frame into the buffer; one of more than limit bytes is skipped, and is not whole.
func readFrame(buffer *bytes.Buffer, frame io.Reader, limit int) (whole bool, err error) {
	if buffer.Cap() > keptBuffer {
		*buffer = bytes.Buffer{}
	}
	buffer.Reset()
	if _, err := buffer.ReadFrom(io.LimitReader(frame, int64(limit))); err != nil {
		return false, err
	}
	skipped, err := io.Copy(io.Discard, frame)
	return skipped == 0, err
}

// ahead is how many seconds a frame's time is ahead of now, as far as it matters: within 68 years.
func ahead(ts int64, now time.Time) int64 {
	seconds := now.Unix()
	return min(max(ts, seconds-math.MaxInt32), seconds+math.MaxInt32) - seconds
}

func (s *session) count(reason string, clockOffset int64) {
	s.log.Debug("refused a frame", "reason", reason)
	s.health.FrameRefused(reason, clockOffset)
}

// refusal is the constant for a refusal.
func refusal(cause error) string {
	var payload *wire.InvalidPayloadError
	switch {
	case errors.Is(cause, wire.ErrLimit):
		return RefusedOverLimit
	case errors.Is(cause, wire.ErrBadSignature):
		return RefusedInvalidSignature
	case errors.Is(cause, wire.ErrExpired):
		return RefusedExpired
	case errors.Is(cause, wire.ErrReplayedNonce):
		return RefusedReplayedNonce
	case errors.As(cause, &payload):
		return RefusedInvalidPayload
	default:
		return RefusedInvalidMessage
	}
}
