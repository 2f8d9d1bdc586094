// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// handle judges a frame by the order of the protocol: shape, signature, age. The store judges whether it is known and
// whether its nonce is; what is known is not read again.
func (v *v2) handle(data []byte, readAt time.Time) {
	e, err := wire.DecodeV2(data, wire.ToBot, v.cfg.Limits)
	if err != nil {
		var invalid *wire.InvalidMessageError
		errors.As(err, &invalid)
		v.refuse(invalid.ID, err, 0)
		return
	}
	if !e.Signed() {
		if e.Type == wire.TypePing {
			v.writer.offer(textMessage(wire.Pong()))
		}
		return
	}
	signature, err := e.Verify(v.cfg.Credentials().Keys, readAt, v.cfg.MessageTTL)
	if err != nil {
		id, offset := "", int64(0)
		if e.Type == wire.TypeNewFeedback {
			id = e.ID
		}
		if errors.Is(err, wire.ErrExpired) {
			offset = ahead(e.TS, readAt)
		}
		v.refuse(id, err, offset)
		return
	}
	v.saw(signature.KeyID)
	v.health.SiteKey(signature.KeyID, readAt)
	v.dispatch(&e, signature, readAt)
}

// saw notes that the site has a key.
func (v *v2) saw(keyID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.peer.last == keyID {
		return
	}
	v.peer.last = keyID
	if !slices.Contains(v.peer.keys, keyID) {
		v.peer.keys = append(v.peer.keys, keyID)
	}
}

// dispatch hands a verified frame to who takes it. It waits while the store is behind, and so, in the end, does the site.
func (v *v2) dispatch(e *wire.Envelope, signature wire.Signature, readAt time.Time) {
	switch e.Type {
	case wire.TypeAck:
		v.ledger.acked(e.ID)
		return
	case wire.TypeHello:
		v.hello(e)
		return
	case wire.TypeNewFeedback:
		v.feedback(e, signature, readAt)
		return
	case wire.TypeFeedbackStatus, wire.TypeFeedbackReply:
		if v.cfg.Desk != nil {
			v.effect(e, readAt)
			return
		}
	}
	v.count(RefusedUnknownType, 0)
	v.enqueue(task{id: strings.Clone(e.ID)})
}

// hello takes what the site says of itself. The first one counts for what it takes.
func (v *v2) hello(e *wire.Envelope) {
	hello, err := e.Hello()
	if err != nil {
		v.unreadable(e, err)
		return
	}
	v.mu.Lock()
	first := !v.peer.greeted
	if first {
		v.peer.greeted = true
		v.peer.capabilities = cloned(hello.Capabilities)
	}
	if v.peer.keys = cloned(hello.Keys); !slices.Contains(v.peer.keys, v.peer.last) { // it has signed with that one just now
		v.peer.keys = append(v.peer.keys, v.peer.last)
	}
	v.mu.Unlock()
	if first {
		v.log.Info("the site speaks version 2", "software", printable(hello.Software), "takes", printable(strings.Join(hello.Capabilities, " ")))
		v.events.wake()
	}
	v.announceKeys()
	v.enqueue(task{id: strings.Clone(e.ID)})
}

// cloned copies strings out of their frame.
func cloned(all []string) (out []string) {
	for _, s := range all {
		out = append(out, strings.Clone(s))
	}
	return out
}

// unreadable acknowledges a frame whose data is not what it should be, for it would come for ever.
func (v *v2) unreadable(e *wire.Envelope, why error) {
	v.count(refusal(why), 0)
	t := task{id: strings.Clone(e.ID)}
	if e.Type == wire.TypeNewFeedback {
		t.refusal = why
	}
	v.enqueue(t)
}

// feedback hands a feedback to the admitter.
func (v *v2) feedback(e *wire.Envelope, signature wire.Signature, readAt time.Time) {
	f, err := e.Feedback()
	if err != nil {
		v.unreadable(e, err)
		return
	}
	r := &store.Request{
		ID: e.ID, Nonce: e.Nonce, Signature: signature, Ticket: newTicket(f.Feedback, readAt),
		ReadAt: readAt, NonceUntil: readAt.Add(wire.NonceTTL(v.cfg.MessageTTL)), KnownFirst: true,
	}
	if v.cfg.Desk != nil && len(f.Attachments) > 0 {
		r.Ticket.Attachments = len(f.Attachments)
		r.Then = attachTo(v.cfg.Desk, v.log, f)
	}
	v.enqueue(task{request: r})
}

// effect hands a status or a reply to the admitter.
func (v *v2) effect(e *wire.Envelope, readAt time.Time) {
	apply, err := v.effectOf(e, readAt.Add(mostAhead))
	if err != nil {
		v.unreadable(e, err)
		return
	}
	v.enqueue(task{incoming: &store.Incoming{
		ID: e.ID, Nonce: e.Nonce, ReadAt: readAt, NonceUntil: readAt.Add(wire.NonceTTL(v.cfg.MessageTTL)), Apply: apply,
	}})
}

// mostAhead is how far ahead something may have happened: by a site whose clock is good enough to sign frames, it cannot be
// much. A status from the far future would win for ever.
const mostAhead = 24 * time.Hour

// effectOf reads what a frame is to have done, which must not have happened after latest.
func (v *v2) effectOf(e *wire.Envelope, latest time.Time) (apply func(store.SiteTx) error, err error) {
	var at time.Time
	if e.Type == wire.TypeFeedbackStatus {
		var status wire.StatusUpdate
		status, err = e.Status()
		at, apply = status.At, func(tx store.SiteTx) error { return v.takeStatus(tx, status) }
	} else {
		var reply wire.Reply
		reply, err = e.Reply()
		at, apply = reply.At, func(tx store.SiteTx) error { return v.takeReply(tx, reply) }
	}
	if err == nil && at.After(latest) {
		err = &wire.InvalidPayloadError{Field: "at", Why: "more than a day ahead"}
	}
	return apply, err
}

// overtaken is how long what concerns a ticket that is not known may have overtaken its feedback.
const overtaken = 10 * time.Minute

// unknownTicket is what becomes of a frame about a ticket that is not known: while its feedback may still be on the way it is
// not acknowledged, and comes again; later, nobody is there to see it any more.
func (v *v2) unknownTicket(at time.Time) error {
	if time.Since(at) < overtaken {
		return store.ErrNotYet
	}
	v.log.Info("the site speaks of a ticket that is not known")
	return nil
}

// takeStatus gives a ticket a status of the site's, and has its post show it, unless the ticket has a later one.
func (v *v2) takeStatus(tx store.SiteTx, s wire.StatusUpdate) error {
	t, err := tx.Find(s.TicketID, s.FeedbackID)
	if errors.Is(err, store.ErrNotFound) {
		return v.unknownTicket(s.At)
	}
	if err != nil {
		return fmt.Errorf("find the ticket of a status: %w", err)
	}
	change := store.StatusChange{TicketID: t.ID, Status: ticket.Status(s.Status), ActorID: s.Actor.TelegramID,
		ActorName: v.cfg.Desk.Name(s.Actor), At: s.At}
	if taken, err := tx.TakeStatus(change); err != nil || !taken {
		return err
	}
	if t, err = tx.Ticket(t.ID); err != nil {
		return fmt.Errorf("read a ticket with its new status: %w", err)
	}
	return guarded(func() error { return v.cfg.Desk.ShowStatus(tx, t) })
}

// takeReply brings a message of the site's to where it belongs.
func (v *v2) takeReply(tx store.SiteTx, r wire.Reply) error {
	t, err := tx.Find(r.TicketID, r.FeedbackID)
	if errors.Is(err, store.ErrNotFound) {
		return v.unknownTicket(r.At)
	}
	if err != nil {
		return fmt.Errorf("find the ticket of a reply: %w", err)
	}
	return guarded(func() error { return v.cfg.Desk.Reply(tx, t, r) })
}
