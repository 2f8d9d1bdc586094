// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// updateStore holds updates, and says which were ended in which order.
type updateStore struct {
	Store
	// before is called before an update ends; an error keeps it from that.
	before func(id int64) error
	// tx is what updates are handled in; where it is nil they are not.
	tx store.Tx

	mu      sync.Mutex
	waiting map[int64][]byte
	ended   []int64
}

func (s *updateStore) PendingUpdates(_ context.Context, after int64, limit int) (out []store.Update, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.waiting)) {
		if id > after && len(out) < limit {
			out = append(out, store.Update{ID: id, Payload: s.waiting[id]})
		}
	}
	return out, nil
}

func (s *updateStore) Handle(ctx context.Context, id int64, handle func(store.Tx) error) error {
	if err := s.before(id); err != nil {
		return err
	}
	if s.tx != nil {
		if err := handle(s.tx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.waiting[id]; ok {
		delete(s.waiting, id)
		s.ended = append(s.ended, id)
	}
	return ctx.Err()
}

// add puts an update of a chat's into the store.
func (s *updateStore) add(id, chat int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[id] = fmt.Appendf(nil, `{"message":{"message_id":1,"date":1,"chat":{"id":%d,"type":"group"},"from":{"id":1,"is_bot":true}}}`, chat)
}

func (s *updateStore) done() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ended)
}

// withWorker runs a worker over a store in a bubble; more tells it that updates were saved.
func withWorker(t *testing.T, s *updateStore, test func(more func())) {
	t.Helper()
	cfg := mustComplete(t, Config{Token: "123456:TEST-TOKEN", APIURL: "http://telegram.test", ChatID: group, Rand: func() float64 { return 1 },
		Logger: slog.New(slog.DiscardHandler)})
	saved := make(chan struct{}, 1)
	w := newWorker(cfg, s, newAPI(cfg), saved, handlers{cfg: cfg, identity: &identity{}, effectiveChat: func(id int64) int64 { return id }, now: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.run(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()
	test(func() { saved <- struct{}{} })
}

func TestAChatThatHasToWaitHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		s := &updateStore{waiting: map[int64][]byte{}, before: func(id int64) error {
			if id == 1 {
				<-free
			}
			return nil
		}}
		for id, chat := range map[int64]int64{1: -10, 2: -10, 3: -20, 4: -20, 5: -10} {
			s.add(id, chat)
		}
		withWorker(t, s, func(more func()) {
			settle(time.Second)
			s.add(6, -20)
			more()
			settle(time.Second)
			if diff := cmp.Diff([]int64{3, 4, 6}, s.done()); diff != "" {
				t.Errorf("while the first waits (-want +got):\n%s", diff)
			}
			close(free)
			settle(time.Second)
			if diff := cmp.Diff([]int64{3, 4, 6, 1, 2, 5}, s.done()); diff != "" {
				t.Errorf("then, in their order (-want +got):\n%s", diff)
			}
		})
	})
}

func TestAnUpdateIsTriedUntilItsEndIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := map[int64]int{}
		s := &updateStore{waiting: map[int64][]byte{}, before: func(id int64) error {
			if tries[id]++; tries[id] < 4 {
				return errors.New("the disk is full")
			}
			return nil
		}}
		s.add(1, -10)
		s.add(2, -10)
		withWorker(t, s, func(func()) {
			settle(time.Minute)
			if diff := cmp.Diff([]int64{1, 2}, s.done()); diff != "" || tries[1] != 4 || tries[2] != 4 {
				t.Errorf("after %v tries (-want +got):\n%s", tries, diff)
			}
		})
	})
}

// rejecting is a transaction that the store has to undo for what it is to write.
type rejecting struct {
	store.Tx
	tries *int
}

func (r rejecting) Take(string, int64, store.Limit, time.Time) (bool, time.Time, error) {
	*r.tries++
	return false, time.Time{}, fmt.Errorf("write: %w", store.ErrRejected)
}

// What follows from an update may be what the store will never take. Its chat does not wait for that for ever.
func TestAnUpdateThatTheStoreRejectsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, outages := 0, 0
		s := &updateStore{waiting: map[int64][]byte{}, tx: rejecting{tries: &tries}, before: func(int64) error {
			if outages++; outages%2 == 0 { // these do not count
				return errors.New("the disk is full")
			}
			return nil
		}}
		s.add(1, 5)
		s.waiting[1] = []byte(`{"message":{"message_id":1,"date":1,"text":"hello","chat":{"id":5,"type":"private"},"from":{"id":5}}}`)
		s.add(2, 5)
		withWorker(t, s, func(func()) {
			settle(10 * time.Minute)
			if diff := cmp.Diff([]int64{1, 2}, s.done()); diff != "" || tries != maxRejections {
				t.Errorf("after %d tries (-want +got):\n%s", tries, diff)
			}
		})
	})
}

func TestMoreUpdatesThanAreTakenInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &updateStore{waiting: map[int64][]byte{}, before: func(int64) error { time.Sleep(time.Second); return nil }}
		const updates = 3 * inHand
		for id := range int64(updates) {
			s.add(id+1, -id-1)
		}
		withWorker(t, s, func(func()) {
			settle(1500 * time.Millisecond)
			if n := len(s.done()); n != inHand {
				t.Errorf("%d updates are done in the time of one, want %d", n, inHand)
			}
			settle(3 * time.Second)
			if n := len(s.done()); n != updates {
				t.Errorf("%d updates are done, want %d", n, updates)
			}
		})
	})
}

// BenchmarkDirectMessages handles messages of as many people, each ended durably.
func BenchmarkDirectMessages(b *testing.B) {
	w := newWorld(b, sim.Limits{})
	defer w.end()
	w.cfg.Intake = testIntake
	cfg := mustComplete(b, w.cfg)
	var updates []store.Update
	for i := range b.N {
		updates = append(updates, store.Update{ID: int64(i + 1), Payload: fmt.Appendf(nil, `{"message":{"message_id":1,"date":1,"text":"/help",`+
			`"from":{"id":%d,"first_name":"P"},"chat":{"id":%d,"type":"private"}}}`, i+1, i+1)})
	}
	for batch := range slices.Chunk(updates, pollLimit) {
		if err := w.store.SaveUpdates(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	a := newAPI(cfg)
	worker := newWorker(cfg, w.store, a, make(chan struct{}), handlers{cfg: cfg, api: a, identity: &identity{},
		effectiveChat: w.store.EffectiveChat, now: time.Now})
	b.ReportAllocs()
	b.ResetTimer()
	if err := worker.sweep(b.Context()); err != nil {
		b.Fatal(err)
	}
	worker.wg.Wait()
	b.StopTimer()
	if left, err := w.store.PendingUpdates(b.Context(), 0, 1); err != nil || len(left) != 0 {
		b.Errorf("%d updates are left, %v", len(left), err)
	}
}
