// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// v1 is version 1 of the protocol, which sites speak that select no other.
type v1 struct {
	*session
	pongs chan int64   // reader -> pump: the site has read the results up to this Seq
	asked atomic.Int64 // the Seq that the confirming ping on its way carries; 0 where there is none
}

func (s *v1) greeting() ([]message, error) { return nil, nil }

// handle judges a frame by the order of the protocol: shape, signature, age, payload. The store judges the rest.
func (s *v1) handle(data []byte, readAt time.Time) {
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
func (s *v1) request(frame *wire.NewFeedback, readAt time.Time) {
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
	s.enqueue(task{request: &store.Request{
		ID: frame.ID, Nonce: frame.Nonce, Signature: signature, Ticket: newTicket(feedback, readAt),
		ReadAt: readAt, NonceUntil: readAt.Add(wire.NonceTTL(s.cfg.MessageTTL)),
	}})
}

// refuse counts a frame, and answers it with ok:false where it has an id. A site that does not read its answers gets
// no more of them than the writer's queue holds.
func (s *v1) refuse(id string, by wire.Signature, cause error, clockOffset int64) {
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

// admit makes requests durable; nothing answers a good one but its result.
func (s *v1) admit(ctx context.Context, batch []task) ([]message, error) {
	verdicts, err := s.admitTickets(ctx, batch)
	for i, verdict := range verdicts {
		if r := batch[i].request; verdict == store.Replayed {
			s.refuse(r.ID, r.Signature, wire.ErrReplayedNonce, 0)
		}
	}
	return nil, err
}

// sign prints a result, signed now: with the key and in the form of its request where the key is still held, else with
// the preferred key.
func (s *v1) sign(result wire.Result, by wire.Signature) ([]byte, error) {
	keys := s.cfg.Credentials().Keys
	key, held := keys.Lookup(by.KeyID)
	if !held {
		key, _ = keys.Preferred()
	}
	return result.AppendFrame(nil, key, by.Form, time.Now().Unix(), uuid.NewString())
}
