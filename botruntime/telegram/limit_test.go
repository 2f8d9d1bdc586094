// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWindowHoldsAtTheServer has calls travel for random times both ways, several at once, and counts at the server.
func TestWindowHoldsAtTheServer(t *testing.T) {
	for _, limit := range []Limit{{1, time.Second}, {20, time.Minute}, {30, time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var mu sync.Mutex
			travel := func() {
				mu.Lock()
				d := time.Duration(random.Int64N(int64(300 * time.Millisecond)))
				mu.Unlock()
				time.Sleep(d)
			}
			var arrivals []time.Time
			w := newWindow(limit)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					for range 3 * limit.Messages {
						if err := w.acquire(t.Context()); err != nil {
							t.Error(err)
							return
						}
						travel()
						mu.Lock()
						arrivals = append(arrivals, time.Now())
						mu.Unlock()
						travel()
						w.end(true)
					}
				})
			}
			wg.Wait()
			slices.SortFunc(arrivals, time.Time.Compare)
			for i := limit.Messages; i < len(arrivals); i++ {
				if d := arrivals[i].Sub(arrivals[i-limit.Messages]); d < limit.Window {
					t.Fatalf("limit %v: %d messages within %v", limit, limit.Messages+1, d)
				}
			}
		})
	}
}

func TestWindowGivesBackWhatWasNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(Limit{1, time.Hour})
		for range 3 {
			if !w.try() {
				t.Fatal("no place")
			}
			w.end(false)
		}
		_ = w.acquire(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.acquire(ctx); err == nil {
			t.Fatal("two calls at once in a window of one")
		}
		go func() { time.Sleep(time.Minute); w.end(false) }()
		begin := time.Now()
		if err := w.acquire(t.Context()); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("got the place after %v, err %v", time.Since(begin), err)
		}
	})
}

func TestNoLimitAdmitsEverything(t *testing.T) {
	s := slot{chat: newWindow(Limit{}), overall: newWindow(Limit{})}
	for range 1000 {
		if !s.try() {
			t.Fatal("no place")
		}
	}
	s.end(true)
}

func TestSlotTakesBothOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		overall := newWindow(Limit{1, time.Minute})
		a := slot{chat: newWindow(Limit{5, time.Minute}), overall: overall}
		b := slot{chat: newWindow(Limit{1, time.Minute}), overall: overall}
		if !a.try() || b.try() {
			t.Fatal("the overall limit does not hold")
		}
		a.end(false)
		if !b.try() {
			t.Error("a place that was not to be had was kept")
		}
	})
}

func TestWhoWaitsIsServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindow(Limit{1, time.Second})
		_ = w.acquire(t.Context())
		w.end(true)
		stays := t.Context()
		gone, leave := context.WithCancel(stays)
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				ctx := stays
				if i == 2 {
					ctx = gone
				}
				if w.acquire(ctx) == nil {
					order = append(order, i)
					w.end(true)
				}
			})
			synctest.Wait()
			if w.try() {
				t.Error("somebody who did not wait came before those who do")
			}
		}
		leave()
		wg.Wait()
		if !slices.Equal(order, []int{0, 1, 3, 4}) {
			t.Errorf("served %v", order)
		}
	})
}
