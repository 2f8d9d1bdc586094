// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// busyStore is a store that a stop meets while it is busy: it takes the first write no more.
type busyStore struct {
	Store
	stop     func()
	calls    int
	recorded *store.Outcome
}

func (s *busyStore) Advance(ctx context.Context, _ int64, done *store.Outcome, claim bool) (*store.Job, error) {
	if s.calls++; s.calls == 1 {
		s.stop()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.recorded = done
	if claim {
		return &store.Job{}, nil
	}
	return nil, nil
}

func TestAnOutcomeIsRecordedThoughTheStopCameInTheMiddle(t *testing.T) {
	w := newWorld(t, sim.Limits{})
	defer w.end()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	st := &busyStore{Store: w.store, stop: stop}
	c := newChat(newSender(&w.cfg, st, nil, &standing{health: w.health}), group)
	if job := c.advance(ctx, &store.Outcome{Seq: 1}, true); job != nil || st.recorded == nil || st.recorded.Seq != 1 {
		t.Errorf("recorded %+v in %d calls, claimed %+v", st.recorded, st.calls, job)
	}
}

func TestStopDoesNotWaitForATelegramThatHangs(t *testing.T) {
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.start()
		settle(time.Second)
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultHang}); err != nil {
			t.Fatal(err)
		}
		w.admit(counted(2)...)
		settle(time.Second)
		since := time.Now()
		w.halt()
		if took := time.Since(since); took >= 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
