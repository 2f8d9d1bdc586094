// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire/wiretest"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

// bubbleV2 is bubble with a site of version 2 and a desk. Every frame that the bot sends is held against the schemas.
func bubbleV2(t *testing.T, configure func(*simsite.Config, *Config), test func(*rig, *testDesk)) {
	t.Helper()
	schemas := wiretest.Load(t)
	desk := &testDesk{files: map[string][]byte{}}
	bubble(t, func(site *simsite.Config, cfg *Config) {
		site.Protocol, cfg.Desk, cfg.UserAgent = simsite.ProtocolV2, desk, "feedbackbridge-bot/test"
		site.OnFrame = func(version int, frame []byte) {
			if err := schemas.Check(version, frame); err != nil {
				t.Errorf("%s: %v", frame, err)
			}
		}
		if configure != nil {
			configure(site, cfg)
		}
	}, func(r *rig) { test(r, desk) })
}

// sendAs sends a frame of any type to the bot, and returns its id.
func (r *rig) sendAs(frameType string, data any) (id string) {
	r.t.Helper()
	raw, err := json.Marshal(data)
	r.must(err)
	id, err = r.site.SendOut(simsite.Outgoing{Type: frameType, Data: raw})
	r.must(err)
	return id
}

// sent waits until what became of a frame of the site's is as wanted.
func (r *rig) sent(id string, want func(simsite.Sent) bool) (s simsite.Sent) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Minute)
	defer cancel()
	r.must(r.site.WaitFor(ctx, func() bool {
		s = mustSent(r, id)
		return want(s)
	}))
	return s
}

// acked waits for the bot's ack.
func (r *rig) acked(id string) {
	r.t.Helper()
	r.sent(id, func(s simsite.Sent) bool { return s.Acks > 0 })
}

// told waits until the bot has told at least so many things of a type, and returns them.
func (r *rig) told(frameType string, n int) (all []simsite.Received) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Minute)
	defer cancel()
	r.must(r.site.WaitFor(ctx, func() bool {
		all = r.site.Received(frameType)
		return len(all) >= n
	}))
	return all
}

// inTx has the bot do something, as an update from Telegram would.
func (r *rig) inTx(do func(store.Tx) error) {
	r.t.Helper()
	const update = 1 << 40
	r.must(r.store.SaveUpdates(r.ctx, []store.Update{{ID: update, Payload: []byte("{}")}}))
	r.must(r.store.Handle(r.ctx, update, do))
}

// emit records events for the site.
func (r *rig) emit(events ...store.Event) {
	r.t.Helper()
	r.inTx(func(tx store.Tx) error {
		var errs []error
		for _, e := range events {
			errs = append(errs, tx.Emit(e))
		}
		return errors.Join(errs...)
	})
}

// events are those that wait in the store.
func (r *rig) events() []store.DueEvent {
	r.t.Helper()
	due, err := r.store.DueEvents(r.ctx, 0, []store.EventKind{store.EventCreated, store.EventStatus, store.EventReply, store.EventMessage}, 1000)
	r.must(err)
	return due
}

// testDesk notes what it is asked for, and writes it into the chat.
type testDesk struct {
	mu       sync.Mutex
	statuses []string
	replies  []wire.Reply
	attached []wire.SiteFeedback
	files    map[string][]byte
	fail     error // of what comes from the site
	met      []bool
	slow     time.Duration // that Fetch takes
	gate     chan struct{} // that Attach waits at; may be nil
}

func (d *testDesk) do(note func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		note()
	}
	return d.fail
}

func (d *testDesk) see(look func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	look()
}

func (d *testDesk) Attach(_ store.Tx, _ string, f wire.SiteFeedback) error {
	if d.gate != nil {
		<-d.gate
	}
	return d.do(func() { d.attached = append(d.attached, f) })
}

func (d *testDesk) ShowStatus(_ store.Tx, t store.TicketRecord) error {
	return d.do(func() { d.statuses = append(d.statuses, t.ID+" "+string(t.Status)+" by "+t.StatusBy) })
}

func (d *testDesk) Reply(tx store.Tx, t store.TicketRecord, reply wire.Reply) error {
	if err := tx.Send(store.Outgoing{Ticket: t.ID, Payload: []byte(reply.Text)}); err != nil {
		return err
	}
	return d.do(func() { d.replies = append(d.replies, reply) })
}

func (d *testDesk) Meet(_ context.Context, replies bool) error {
	d.see(func() { d.met = append(d.met, replies) })
	return nil
}

func (d *testDesk) Name(a wire.Actor) string { return a.Name }

func (d *testDesk) Fetch(ctx context.Context, file store.Attachment, most int) ([]byte, error) {
	select {
	case <-time.After(d.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	content, known := d.files[file.FileID]
	if !known || len(content) > most {
		return nil, errors.New("no such file")
	}
	return content, nil
}

func (h *testHealth) Protocol(version string) {
	h.record(func() { h.protocols = append(h.protocols, version) })
}

func (s *instantStore) ConfirmEachResult(_ context.Context, seqs []int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = slices.DeleteFunc(s.due, func(r store.Result) bool { return slices.Contains(seqs, r.Seq) })
	return nil
}

func (s *instantStore) Receive(_ context.Context, frames []store.Incoming) ([]store.Received, error) {
	return make([]store.Received, len(frames)), nil
}

func (s *instantStore) DueEvents(context.Context, int64, []store.EventKind, int) ([]store.DueEvent, error) {
	return nil, nil
}

func (s *instantStore) ConfirmEvents(context.Context, []int64) error { return nil }
func (s *instantStore) EventsReady() <-chan struct{}                 { return nil }
