// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func TestCallsByName(t *testing.T) {
	dir := shortDir(t)
	tracker := NewTracker("v1", time.Now, nil)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, dir, tracker, Calls{
			Alive:   func(context.Context) error { return nil },
			Standby: func() bool { return true },
			Named: map[string]func(context.Context, json.RawMessage) (any, error){
				"double": func(_ context.Context, arguments json.RawMessage) (any, error) {
					var n int
					err := json.Unmarshal(arguments, &n)
					return 2 * n, err
				},
				"fail": func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("not today") },
			},
		}, slog.New(slog.DiscardHandler))
	}()
	if a := ask(t, dir); !a.Standby || a.Stuck != "" {
		t.Errorf("the probe's answer: %+v", a)
	}
	var doubled int
	if err := Call(t.Context(), dir, "double", 21, &doubled); err != nil || doubled != 42 {
		t.Errorf("21 doubled is %d (%v)", doubled, err)
	}
	for name, want := range map[string]string{"fail": "not today", "triple": "knows no call triple"} {
		if err := Call(t.Context(), dir, name, nil, &doubled); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if err := Call(t.Context(), dir, "double", 1, &doubled); !errors.Is(err, ErrNoBot) {
		t.Errorf("a bot that is gone: %v", err)
	}
}

// A bot of the version before knows no calls by name, and takes one for a probe.
func TestACallOfAnOlderBot(t *testing.T) {
	dir := shortDir(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.Copy(io.Discard, conn)
		_ = json.NewEncoder(conn).Encode(Answer{Report: v1alpha1.BotReport{Version: "v0"}})
	}()
	var result int
	if err := Call(t.Context(), dir, "double", 1, &result); err == nil || !strings.Contains(err.Error(), "of another version") {
		t.Errorf("error: %v", err)
	}
}

func TestTheTroubleOfAStore(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tracker := NewTracker("v1", func() time.Time { return now }, nil)
	changed := func() bool {
		select {
		case <-tracker.Changed():
			return true
		default:
			return false
		}
	}
	tracker.Storage("", "")
	if changed() || tracker.Report().Storage != nil {
		t.Error("no trouble is news")
	}
	tracker.Storage(v1alpha1.ReasonStorageUnreachable, "cannot be reached:\n\tconnection refused")
	began := now
	if s := tracker.Report().Storage; !changed() || s == nil || s.Message != "cannot be reached: connection refused" || !s.Since.Time.Equal(began) {
		t.Errorf("trouble: %+v", s)
	}
	now = now.Add(time.Minute)
	before := tracker.Report()
	tracker.Storage(v1alpha1.ReasonStorageUnreachable, "no such host")
	after := tracker.Report()
	if changed() || after.Storage.Message != "no such host" || !after.Storage.Since.Time.Equal(began) || !equalJSON(states(before), states(after)) {
		t.Errorf("other words of the same trouble are a state: %+v", after.Storage)
	}
	tracker.Storage(v1alpha1.ReasonStorageFull, "no room")
	if s := tracker.Report().Storage; !changed() || !s.Since.Time.Equal(now) {
		t.Errorf("another trouble: %+v", s)
	}
	tracker.Storage("", "")
	if !changed() || tracker.Report().Storage != nil {
		t.Error("the trouble stays")
	}
}

// A bot that takes over reports the counters of the one before until its own store is open: counters that go back to 0
// look like a burst when they return.
func TestCountersAreInherited(t *testing.T) {
	s := heldBy("")
	former, err := json.Marshal(v1alpha1.BotReport{Tickets: v1alpha1.TicketsStatus{Received: 7, Posted: 5, Pending: 2}})
	if err != nil {
		t.Fatal(err)
	}
	s.lease.Annotations = map[string]string{v1alpha1.AnnotationReport: string(former)}
	lease, _ := newLease(t, s, "b")
	lease.tracker = NewTracker("v1", time.Now, nil)
	if err := lease.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	var report v1alpha1.BotReport
	s.see(func(s *leaseServer) {
		err = json.Unmarshal([]byte(s.lease.Annotations[v1alpha1.AnnotationReport]), &report)
	})
	if err != nil || report.Tickets.Received != 7 || report.Tickets.Pending != 2 {
		t.Errorf("the first report says %+v (%v)", report.Tickets, err)
	}
	lease.tracker.CountBy(func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{Received: 8} })
	if got := lease.tracker.Report().Tickets; got.Received != 8 || got.Pending != 0 {
		t.Errorf("with a store of its own it says %+v", got)
	}
}

// With a standby, a bot that falls silent is found out in the lease's ten seconds and a look.
func TestABriskLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		active, _ := newLease(t, s, "pod-a")
		standby, _ := newLease(t, s, "pod-b")
		active.pace, standby.pace = Brisk, Brisk
		if err := active.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		taken := make(chan time.Time, 1)
		go func() {
			if err := standby.Acquire(ctx); err == nil {
				taken <- time.Now()
			}
		}()
		time.Sleep(Brisk.Renew)
		for range 5 { // the holder renews
			if err := active.renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(Brisk.Renew)
		}
		silent := time.Now().Add(-Brisk.Renew)
		if took := (<-taken).Sub(silent); took < Brisk.Duration || took > Brisk.Duration+Brisk.Retry {
			t.Errorf("taken over after %s", took)
		}
	})
}
