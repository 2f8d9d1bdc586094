// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fbb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestProbesAreAnswered(t *testing.T) {
	dir := shortDir(t)
	// A bot that was killed leaves its socket behind.
	if err := os.WriteFile(filepath.Join(dir, socketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tracker := NewTracker("v1", time.Now, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{Pending: 3} })
	tracker.Site(false, v1alpha1.ReasonDNSFailure, "shop.example does not resolve")
	stuck := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, dir, tracker, Calls{
			Alive: func(context.Context) error { return <-stuck },
			Test: func(_ context.Context, r TestRequest) TestResult {
				return TestResult{Reason: v1alpha1.ReasonNoRights, Message: "no rights for " + r.Text}
			},
		}, slog.New(slog.DiscardHandler))
	}()

	stuck <- errors.New("the disk is gone")
	answer := ask(t, dir)
	if answer.Stuck != "the disk is gone" || answer.Report.Tickets.Pending != 3 || answer.Report.Site.Message != "shop.example does not resolve" {
		t.Errorf("answer: %+v", answer)
	}
	stuck <- nil
	if answer := ask(t, dir); answer.Stuck != "" {
		t.Errorf("answer: %+v", answer)
	}
	if got, err := SendTest(t.Context(), dir, TestRequest{Text: "a test"}); err != nil || got.Message != "no rights for a test" || got.MessageID != 0 {
		t.Errorf("test message: %+v %v", got, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := Ask(t.Context(), dir); err == nil {
		t.Error("a bot that is gone answers")
	}
}

// ask asks until the socket is there.
func ask(t *testing.T, dir string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		answer, err := Ask(ctx, dir)
		if err == nil {
			return answer
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no answer: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestTrackerKeepsTheLastErrorAndWhenItChanged(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tracker := NewTracker("v1", func() time.Time { return now }, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{} })
	tracker.Site(false, v1alpha1.ReasonTimeout, "no answer to pings")
	tracker.Site(false, v1alpha1.ReasonConnecting, "to connect is no error")
	now = now.Add(time.Minute)
	tracker.Site(true, v1alpha1.ReasonConnected, "connected")
	now = now.Add(time.Minute)
	tracker.Site(true, v1alpha1.ReasonConnected, "connected")
	got := tracker.Report().Site
	if !got.OK || got.LastError != "no answer to pings" || !got.Since.Time.Equal(now.Add(-time.Minute)) {
		t.Errorf("site: %+v", got)
	}
}
