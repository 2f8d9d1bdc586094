// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// How many frames of a kind may wait for their ack: 64 in all. None can hold the others up.
const (
	resultsInFlight  = 44
	eventsInFlight   = 16
	controlsInFlight = 4
)

// v2 is version 2 of the protocol.
type v2 struct {
	*session
	ledger   *ledger
	results  *lane
	events   *lane
	controls *lane
	queue    controlQueue // what controls carries

	mu        sync.Mutex
	peer      peer
	announced []string // ids of the keys that the site was told of
	met       bool     // the desk knows what the site takes
}

// peer is what the site has shown of itself.
type peer struct {
	greeted      bool
	capabilities []string
	// keys are those that it named or signed with, and last the one of its last good frame.
	keys []string
	last string
}

func (p *peer) takes(capability string) bool { return slices.Contains(p.capabilities, capability) }

func newV2(s *session) *v2 {
	v := &v2{session: s, ledger: newLedger()}
	v.queue.ready = make(chan struct{}, 1)
	v.results = newLane(resultsInFlight, v.sendParcels)
	v.results.next, v.results.ready, v.results.settle = v.dueResults, s.store.ResultsReady(), s.store.ConfirmEachResult
	v.events = newLane(eventsInFlight, v.sendParcels)
	v.events.next, v.events.ready, v.events.settle = v.dueEvents, s.store.EventsReady(), s.store.ConfirmEvents
	v.controls = newLane(controlsInFlight, v.sendParcels)
	v.controls.next, v.controls.ready, v.controls.settle = v.queue.next, v.queue.ready, v.queue.settle
	return v
}

// greeting is the bot's hello.
func (v *v2) greeting() ([]message, error) {
	v.announced = v.cfg.Credentials().Keys.IDs()
	p := v.queue.add(v.sayHello)
	p.sent, p.times = time.Now(), 1
	v.controls.after, v.controls.flying = p.seq, append(v.controls.flying, p)
	v.ledger.note(p.id, v.controls, p.seq)
	frame, err := v.sign(p.id, v.sayHello())
	if err != nil {
		return nil, err
	}
	return []message{textMessage(frame)}, nil
}

// sayHello is what the bot says of itself, with the keys that it holds by now.
func (v *v2) sayHello() wire.Body {
	hello := wire.Hello{Software: v.cfg.UserAgent, Protocol: 2, Keys: v.cfg.Credentials().Keys.IDs()}
	if v.cfg.Desk != nil {
		hello.Capabilities = []string{wire.CapabilityStatuses, wire.CapabilityReplies, wire.CapabilityAttachments}
	}
	if len(hello.Keys) > 0 {
		hello.Preferred = hello.Keys[0]
	}
	return hello
}

// pong needs nothing done: version 2 has acks.
func (v *v2) pong(string) {}

// pump has the lanes work, and tells the site of the keys when they change.
func (v *v2) pump(parent context.Context) error {
	ctx, end := context.WithCancelCause(parent)
	defer end(nil)
	var tasks sync.WaitGroup
	for _, l := range []*lane{v.results, v.events, v.controls} {
		tasks.Go(func() { end(l.run(ctx)) })
	}
	tasks.Go(func() { v.watchKeys(ctx) })
	<-ctx.Done()
	tasks.Wait()
	return context.Cause(ctx)
}

// watchKeys tells the site of the keys whenever they change.
func (v *v2) watchKeys(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.cfg.CredentialsChanged:
			v.renewed = true
			v.announceKeys()
		}
	}
}

// announceKeys tells the site of the keys, where it takes that and knows others.
func (v *v2) announceKeys() {
	ids := v.cfg.Credentials().Keys.IDs()
	v.mu.Lock()
	defer v.mu.Unlock()
	if slices.Equal(ids, v.announced) || len(ids) == 0 || !v.peer.takes(wire.CapabilityKeyUpdate) {
		return
	}
	v.announced = ids
	update := wire.KeyUpdate{Accepted: ids, Preferred: ids[0], At: time.Now()}
	v.queue.add(func() wire.Body { return update })
}

// sign prints a frame, signed now with the key that the bot prefers of those that the site has. Where that shows none, the
// site may still know the one that the bot prefers of all.
func (v *v2) sign(id string, body wire.Body) ([]byte, error) {
	frame, err := wire.AppendV2(nil, wire.ToSite, id, body, v.key(), time.Now().Unix(), uuid.NewString())
	if err != nil {
		return nil, fmt.Errorf("sign a frame: %w", err)
	}
	return frame, nil
}

func (v *v2) key() wire.Key {
	keys := v.cfg.Credentials().Keys
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range keys.IDs() {
		if slices.Contains(v.peer.keys, id) {
			key, _ := keys.Lookup(id)
			return key
		}
	}
	key, _ := keys.Preferred()
	return key
}

// sendParcels signs and writes parcels.
func (v *v2) sendParcels(ctx context.Context, l *lane, parcels []parcel) error {
	batch := make([]message, 0, len(parcels))
	for i := range parcels {
		p := &parcels[i]
		frame, err := v.sign(p.id, p.body(ctx))
		if err != nil {
			return explainStore(err)
		}
		p.size = len(frame)
		v.ledger.note(p.id, l, p.seq)
		batch = append(batch, textMessage(frame))
	}
	return v.writer.send(ctx, batch)
}

// admit makes durable what tasks ask for, runs of the same kind in one commit, and acknowledges their frames.
func (v *v2) admit(ctx context.Context, batch []task) (answers []message, err error) {
	for len(batch) > 0 {
		run := 1
		for run < len(batch) && sameKind(&batch[0], &batch[run]) {
			run++
		}
		switch {
		case batch[0].request != nil:
			err = v.takeTickets(ctx, batch[:run], &answers)
		case batch[0].incoming != nil:
			err = v.takeEffects(ctx, batch[:run], &answers)
		default:
			err = v.acknowledge(batch[:run], &answers)
		}
		if err != nil {
			return nil, err
		}
		batch = batch[run:]
	}
	return answers, nil
}

func sameKind(a, b *task) bool {
	return (a.request != nil) == (b.request != nil) && (a.incoming != nil) == (b.incoming != nil)
}

// takeTickets admits feedback. A replay is not acknowledged.
func (v *v2) takeTickets(ctx context.Context, batch []task, answers *[]message) error {
	verdicts, err := v.admitTickets(ctx, batch)
	if err != nil {
		return err
	}
	for i, verdict := range verdicts {
		if id := batch[i].request.ID; verdict == store.Replayed {
			v.refuse(id, wire.ErrReplayedNonce, 0)
		} else if err := v.append(answers, id, wire.Ack{}); err != nil {
			return err
		}
	}
	return nil
}

// takeEffects has other frames have their effects. A replay is not acknowledged.
func (v *v2) takeEffects(ctx context.Context, batch []task, answers *[]message) error {
	frames := make([]store.Incoming, len(batch))
	for i := range batch {
		frames[i] = *batch[i].incoming
	}
	received, err := v.store.Receive(ctx, frames)
	if err != nil {
		return fmt.Errorf("take frames: %w", err)
	}
	for i, r := range received {
		switch r.Verdict {
		case store.Replayed:
			v.count(RefusedReplayedNonce, 0)
			continue
		case store.NotYet:
			continue // it comes again
		case store.GivenUp:
			v.log.Error("a frame of the site's can have no effect", "error", r.Why)
		default:
			v.health.FrameAccepted()
		}
		if err := v.append(answers, frames[i].ID, wire.Ack{}); err != nil {
			return err
		}
	}
	return nil
}

// acknowledge answers frames that ask for nothing. A refusal goes before the ack: a site that has the ack has both.
func (v *v2) acknowledge(batch []task, answers *[]message) error {
	for _, t := range batch {
		if t.refusal != nil && v.ledger.note(t.id, nil, 0) {
			if err := v.append(answers, t.id, wire.Refusal(t.refusal)); err != nil {
				return err
			}
		}
		if err := v.append(answers, t.id, wire.Ack{}); err != nil {
			return err
		}
	}
	return nil
}

// append signs an answer.
func (v *v2) append(answers *[]message, id string, body wire.Body) error {
	frame, err := v.sign(id, body)
	if err == nil {
		*answers = append(*answers, textMessage(frame))
	}
	return err
}

// refuse counts a frame, and answers a feedback, whose id that is, with ok:false; it is not acknowledged. A site that does
// not read its answers gets no more of them than the writer's queue holds.
func (v *v2) refuse(id string, cause error, clockOffset int64) {
	v.count(refusal(cause), clockOffset)
	if id == "" {
		return
	}
	frame, err := v.sign(id, wire.Refusal(cause))
	if err != nil {
		v.log.Error("cannot answer a refused frame", "error", err)
		return
	}
	if !v.ledger.note(id, nil, 0) {
		v.health.AnswerDropped()
	} else if !v.writer.offer(textMessage(frame)) {
		v.ledger.takeBack(id)
		v.health.AnswerDropped()
	}
}
