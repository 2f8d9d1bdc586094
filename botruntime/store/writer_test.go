// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestConcurrentWritersLoseNothing(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 25 {
					r := request(fmt.Sprintf("%d-%d", w, i), 0)
					if got, err := s.Admit(context.Background(), []Request{r}); err != nil || got[0] != Accepted {
						t.Errorf("admit: %v %v", got, err)
					}
				}
			})
		}
		wg.Wait()
		n := 0
		for job := advance(t, s, group, nil, true); job != nil; job = advance(t, s, group, sent(job, 1), true) {
			n++
		}
		if n != 200 || len(due(t, s)) != 100 {
			t.Fatalf("%d jobs, %d due", n, len(due(t, s)))
		}
	})
}

func TestAFailingChangeFailsAlone(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		boom := errors.New("boom")
		good, bad := op{change: func(tx *txn) error { return tx.set("good", 1) }, done: make(chan ending, 1)},
			op{change: func(*txn) error { return boom }, done: make(chan ending, 1)}
		s.writer.ops <- good
		s.writer.ops <- bad
		if end := <-good.done; end.err != nil {
			t.Errorf("the good change: %v", end.err)
		}
		if end := <-bad.done; !errors.Is(end.err, boom) {
			t.Errorf("the bad change: %v", end.err)
		}
		values, err := list[int64](t.Context(), s.engine.reads(), `SELECT value FROM counters WHERE name = 'good'`)
		if err != nil || len(values) != 1 {
			t.Errorf("stored: %v %v", values, err)
		}
	})
}

func TestAfterCloseWritesSaySo(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		mustClose(t, s)
		if _, err := s.Admit(t.Context(), []Request{request("a", 1)}); !errors.Is(err, ErrClosed) {
			t.Fatalf("admit after close: %v", err)
		}
	})
}
