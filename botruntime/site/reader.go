// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"errors"
	"io"
	"math"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Why a frame was refused, as Health counts it.
const (
	RefusedBinary           = "binary"            // a binary message
	RefusedTooLarge         = "too_large"         // more bytes than the limit
	RefusedOverLimit        = "over_limit"        // too deep, or too many values
	RefusedInvalidMessage   = "invalid_message"   // not JSON, or not of the protocol's shape
	RefusedUnknownType      = "unknown_type"      // a type that version 1 does not have
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
	defer close(s.requests)
	ws, patience := s.link.ws, s.cfg.patience()
	extend := func() error { return ws.SetReadDeadline(time.Now().Add(patience)) }
	ws.SetReadLimit(int64(s.cfg.maxFrame()) * discardFactor)
	ws.SetPingHandler(func(payload string) error {
		s.writer.offer(message{websocket.PongMessage, []byte(payload)})
		return extend()
	})
	ws.SetPongHandler(func(payload string) error {
		s.pong(payload)
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
			s.handle(buffer.Bytes(), time.Now())
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

// handle judges a frame by the order of the protocol: shape, signature, age, payload. The store judges the rest.
func (s *session) handle(data []byte, readAt time.Time) {
	frame, err := wire.Decode(data, s.cfg.Limits)
	if err != nil {
		var invalid *wire.InvalidMessageError
		errors.As(err, &invalid)
		s.refuse(invalid.ID, wire.Signature{}, err, 0)
		return
	}
	switch frame.Type {
	case wire.TypeNewFeedback:
		s.request(frame.Feedback, readAt)
	case wire.TypePing:
		s.writer.offer(textMessage(wire.Pong()))
	case wire.TypePong: // has shown that the site is there
	default:
		s.count(RefusedUnknownType, 0)
	}
}

// request hands a feedback to the admitter, or refuses it. It waits while the store is behind, and so, in the end, does
// the site.
func (s *session) request(frame *wire.NewFeedback, readAt time.Time) {
	signature, err := frame.Verify(s.cfg.Credentials().Keys, readAt, s.cfg.MessageTTL)
	switch {
	case errors.Is(err, wire.ErrExpired):
		s.refuse(frame.ID, signature, err, ahead(frame.TS, readAt))
		return
	case err != nil:
		s.refuse(frame.ID, signature, err, 0)
		return
	}
	s.health.SiteKey(signature.KeyID, readAt)
	feedback, err := frame.Payload()
	if err != nil {
		s.refuse(frame.ID, signature, err, 0)
		return
	}
	s.requests <- store.Request{
		ID: frame.ID, Nonce: frame.Nonce, Signature: signature, Ticket: newTicket(feedback, readAt),
		ReadAt: readAt, NonceUntil: readAt.Add(wire.NonceTTL(s.cfg.MessageTTL)),
	}
}

// ahead is how many seconds a frame's time is ahead of now, as far as it matters: within 68 years.
func ahead(ts int64, now time.Time) int64 {
	seconds := now.Unix()
	return min(max(ts, seconds-math.MaxInt32), seconds+math.MaxInt32) - seconds
}

// refuse counts a frame, and answers it with ok:false where it has an id. A site that does not read its answers gets
// no more of them than the writer's queue holds.
func (s *session) refuse(id string, by wire.Signature, cause error, clockOffset int64) {
	s.count(refusal(cause), clockOffset)
	if id == "" {
		return
	}
	answer, err := s.sign(wire.Result{ID: id, Error: wire.Reason(cause)}, by)
	if err != nil {
		s.log.Error("cannot answer a refused frame", "error", err)
		return
	}
	if !s.writer.offer(textMessage(answer)) {
		s.health.AnswerDropped()
	}
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
