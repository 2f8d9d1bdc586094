// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newTracker is a tracker whose clock stands at noon.
func newTracker() *Tracker {
	return NewTracker("v1", func() time.Time { return noon }, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{} })
}

// changed says whether a change of state was signalled since it was last asked.
func changed(t *Tracker) bool {
	select {
	case <-t.Changed():
		return true
	default:
		return false
	}
}

// uses are the report's uses of keys as id@first-last, in seconds after noon.
func uses(t *Tracker) (out []string) {
	for _, use := range t.Report().HMACKeysUsed {
		out = append(out, fmt.Sprintf("%s@%v-%v", use.ID, use.First.Sub(noon).Seconds(), use.Last.Sub(noon).Seconds()))
	}
	return out
}

func TestUsesOfKeys(t *testing.T) {
	type step struct {
		keys    []string // accepted from now on, or
		use     string   // a frame's key
		at      int      // when, in seconds after noon
		changed bool
		want    []string
	}
	for name, steps := range map[string][]step{
		"the first use is a state, later ones are not": {
			{keys: []string{"a"}, changed: true},
			{use: "a", at: 1, changed: true, want: []string{"a@1-1"}},
			{use: "a", at: 2, want: []string{"a@1-2"}},
			{use: "a", at: 9, want: []string{"a@1-9"}},
		},
		"a site with two workers takes turns": {
			{keys: []string{"a", "b"}, changed: true},
			{use: "a", at: 1, changed: true, want: []string{"a@1-1"}},
			{use: "b", at: 2, changed: true, want: []string{"a@1-1", "b@2-2"}},
			{use: "a", at: 3, want: []string{"a@1-3", "b@2-2"}},
			{use: "b", at: 4, want: []string{"a@1-3", "b@2-4"}},
		},
		"uses are in the order of the keys, and survive a change of it": {
			{keys: []string{"a", "b"}, changed: true},
			{use: "b", at: 1, changed: true, want: []string{"b@1-1"}},
			{use: "a", at: 2, changed: true, want: []string{"a@2-2", "b@1-1"}},
			{keys: []string{"b", "a"}, changed: true, want: []string{"b@1-1", "a@2-2"}},
			{use: "a", at: 3, want: []string{"b@1-1", "a@2-3"}},
		},
		"a key that left is forgotten, and new when it comes back": {
			{keys: []string{"a", "b"}, changed: true},
			{use: "a", at: 1, changed: true, want: []string{"a@1-1"}},
			{keys: []string{"b"}, changed: true},
			{use: "a", at: 2},
			{keys: []string{"b", "a"}, changed: true},
			{use: "a", at: 3, changed: true, want: []string{"a@3-3"}},
		},
		"keys that are not accepted are no uses": {
			{keys: []string{"a"}, changed: true},
			{use: "x", at: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tracker := newTracker()
			for i, s := range steps {
				if s.keys != nil {
					tracker.Keys(s.keys)
				} else {
					tracker.SiteKey(s.use, noon.Add(time.Duration(s.at)*time.Second))
				}
				if got := changed(tracker); got != s.changed {
					t.Errorf("step %d: changed %v, want %v", i, got, s.changed)
				}
				if got := uses(tracker); !slices.Equal(got, s.want) {
					t.Errorf("step %d: uses %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func TestSiteKeyIDIsTheLastOne(t *testing.T) {
	tracker := newTracker()
	tracker.Keys([]string{"a", "b"})
	for _, id := range []string{"a", "b", "a"} {
		tracker.SiteKey(id, noon)
		if got := tracker.Report().SiteKeyID; got != id {
			t.Errorf("%q, want %q", got, id)
		}
	}
}

func TestRefusing(t *testing.T) {
	tracker := newTracker()
	tracker.FrameAccepted()
	if changed(tracker) || tracker.Report().Refusing != nil {
		t.Error("a good frame changes nothing")
	}
	tracker.FrameRefused("expired", -90)
	first := tracker.Report().Refusing
	if !changed(tracker) || *first != (v1alpha1.RefusalReport{Reason: "expired", Count: 1, Since: first.Since, ClockOffsetSeconds: -90}) {
		t.Errorf("the first refusal: %+v", first)
	}
	tracker.AnswerDropped()
	tracker.FrameRefused("invalid_signature", 0)
	second := tracker.Report().Refusing
	if changed(tracker) || second.Reason != "invalid_signature" || second.Count != 2 || second.ClockOffsetSeconds != 0 || !second.Since.Time.Equal(noon) {
		t.Errorf("the second refusal: %+v", second)
	}
	if first.Count != 1 {
		t.Error("a report that was handed out changes")
	}
	tracker.FrameAccepted()
	if !changed(tracker) || tracker.Report().Refusing != nil {
		t.Error("a good frame ends the refusing")
	}
	if got := fmt.Sprint(tracker.Report().FramesRefused); got != "map[expired:1 invalid_signature:1 unanswered:1]" {
		t.Errorf("counters: %s", got)
	}
}

func TestTheTokensKeyIsAState(t *testing.T) {
	tracker := newTracker()
	tracker.Token("key-1")
	if !changed(tracker) || tracker.Report().JWTKeyID != "key-1" {
		t.Errorf("%q", tracker.Report().JWTKeyID)
	}
	tracker.Token("key-1")
	if changed(tracker) {
		t.Error("the same key again is no change")
	}
	if at := tracker.Report().JWTAcceptedAt; at == nil || !at.Time.Equal(noon) {
		t.Errorf("it was accepted at %v", at)
	}
	tracker.Token("")
	if !changed(tracker) || tracker.Report().JWTKeyID != "" {
		t.Error("a token without a key id")
	}
}

// TestEveryConnectionMovesWhenTheTokenWasAccepted: by it the operator tells a site that keeps to the old key from one that
// has not been asked since.
func TestEveryConnectionMovesWhenTheTokenWasAccepted(t *testing.T) {
	now := noon
	tracker := NewTracker("v1", func() time.Time { return now }, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{} })
	tracker.Token("key-1")
	written := tracker.Report()
	now = noon.Add(time.Hour)
	tracker.Token("key-1")
	report := tracker.Report()
	if !report.JWTAcceptedAt.Time.Equal(now) || !written.JWTAcceptedAt.Time.Equal(noon) {
		t.Errorf("accepted at %v, and in the report before at %v", report.JWTAcceptedAt, written.JWTAcceptedAt)
	}
	if reportDue(written, report, countersInterval-1) || !reportDue(written, report, countersInterval) {
		t.Error("it is not reported with the counters")
	}
}

// TestWhichChangesOfFramesAreWrittenAtOnce: a site with two workers, or one that is refused, must not flood the API server.
func TestWhichChangesOfFramesAreWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := heldBy("")
		l, tracker := newLease(t, s, "pod-a")
		tracker.Keys([]string{"old", "new"})
		stop := keep(t, l)
		reports := func(what string, want int) {
			t.Helper()
			time.Sleep(2 * changeInterval)
			synctest.Wait()
			s.see(func(s *leaseServer) {
				if s.reports != want {
					t.Errorf("%s: %d reports, want %d", what, s.reports, want)
				}
				s.reports = 0
			})
		}
		reports("the beginning", 1)
		tracker.SiteKey("old", time.Now())
		reports("the first use of the old key", 1)
		tracker.SiteKey("new", time.Now())
		reports("the first use of the new key", 1)
		tracker.FrameRefused("expired", 60)
		reports("the first refusal", 1)
		for i := range 4 {
			tracker.SiteKey([]string{"old", "new"}[i%2], time.Now())
			tracker.FrameRefused("expired", int64(i))
		}
		reports("what follows", 0)
		tracker.FrameAccepted()
		reports("the end of the refusals", 1)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheProtocolIsAState(t *testing.T) {
	tracker := NewTracker("1.0", func() time.Time { return noon }, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{} })
	for _, c := range []struct {
		protocol string
		changed  bool
	}{{"v1", true}, {"v1", false}, {"v2", true}} {
		tracker.Protocol(c.protocol)
		select {
		case <-tracker.Changed():
			if !c.changed {
				t.Errorf("%s again is a change", c.protocol)
			}
		default:
			if c.changed {
				t.Errorf("%s is no change", c.protocol)
			}
		}
		if got := tracker.Report().Protocol; got != c.protocol {
			t.Errorf("reported %q, want %q", got, c.protocol)
		}
	}
}

// TestFramesFromManyGoroutines is for the race detector.
func TestFramesFromManyGoroutines(t *testing.T) {
	tracker := newTracker()
	keys := []string{"a", "b", "c"}
	tracker.Keys(keys)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 500 {
				tracker.SiteKey(keys[(n+i)%3], noon.Add(time.Duration(n)))
				tracker.FrameAccepted()
				if n%50 == i {
					tracker.FrameRefused("expired", 1)
					tracker.Keys(keys[:1+n%3])
					tracker.Report()
				}
			}
		})
	}
	all.Wait()
	tracker.Keys(keys)
	tracker.SiteKey("c", noon)
	tracker.FrameAccepted()
	if r := tracker.Report(); r.SiteKeyID != "c" || r.Refusing != nil {
		t.Errorf("%+v", r)
	}
}

// BenchmarkFrame is what a good frame costs the report.
func BenchmarkFrame(b *testing.B) {
	tracker := newTracker()
	tracker.Keys([]string{"a"})
	for b.Loop() {
		tracker.SiteKey("a", noon)
		tracker.FrameAccepted()
	}
}
