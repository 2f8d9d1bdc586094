// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// testLease is a Lease as a bot that is well leaves it.
func testLease(t *testing.T, renewed time.Time, report v1alpha1.BotReport) *coordinationv1.Lease {
	t.Helper()
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop-bot", Annotations: map[string]string{v1alpha1.AnnotationReport: string(text)},
		},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("shop-bot-abc"), LeaseDurationSeconds: new(int32(30)),
			RenewTime: new(metav1.NewMicroTime(renewed)),
		},
	}
}

func TestHealthOf(t *testing.T) {
	tests := map[string]struct {
		change func(*coordinationv1.Lease)
		age    time.Duration
		fresh  bool
		report bool
	}{
		"just renewed":          {nil, 0, true, true},
		"late":                  {nil, 44 * time.Second, true, true},
		"stale within a minute": {nil, 45 * time.Second, false, true},
		"the bot's clock is ahead": {func(l *coordinationv1.Lease) {
			l.Spec.RenewTime = new(metav1.NewMicroTime(testNow.Add(time.Hour)))
		}, 45 * time.Second, false, true},
		"the bot's clock is behind": {func(l *coordinationv1.Lease) {
			l.Spec.RenewTime = new(metav1.NewMicroTime(testNow.Add(-time.Hour)))
		}, 44 * time.Second, true, true},
		"released":                 {func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("") }, 0, false, true},
		"never held":               {func(l *coordinationv1.Lease) { l.Spec = coordinationv1.LeaseSpec{} }, 0, false, true},
		"a duration of its own":    {func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(10)) }, 15 * time.Second, false, true},
		"a duration beyond reason": {func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(1 << 30)) }, 45 * time.Second, false, true},
		"a report that is no JSON": {func(l *coordinationv1.Lease) { l.Annotations[v1alpha1.AnnotationReport] = "{" }, 0, true, false},
		"a report that is too large": {func(l *coordinationv1.Lease) {
			l.Annotations[v1alpha1.AnnotationReport] = strings.Repeat(" ", maxReportBytes) + "{}"
		}, 0, true, false},
		"no report": {func(l *coordinationv1.Lease) { l.Annotations = nil }, 0, true, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			lease := testLease(t, testNow, goodReport(testNow))
			if tc.change != nil {
				tc.change(lease)
			}
			h := healthOf(lease, testNow, testNow.Add(tc.age))
			if h.fresh != tc.fresh || (h.report != nil) != tc.report {
				t.Errorf("fresh is %t, a report is there: %t; want %t and %t", h.fresh, h.report != nil, tc.fresh, tc.report)
			}
		})
	}
	if h := healthOf(nil, testNow, testNow); h != (health{}) {
		t.Errorf("no Lease is taken for %+v", h)
	}
}

func TestIsNews(t *testing.T) {
	tests := map[string]struct {
		change func(*coordinationv1.Lease)
		want   bool
	}{
		"a heartbeat":              {func(*coordinationv1.Lease) {}, false},
		"the heartbeat taken away": {func(l *coordinationv1.Lease) { l.Spec.RenewTime = nil }, true},
		"another report":           {func(l *coordinationv1.Lease) { l.Annotations[v1alpha1.AnnotationReport] += " " }, true},
		"another bot":              {func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("shop-bot-def") }, true},
		"another duration":         {func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(60)) }, true},
		"a label of another":       {func(l *coordinationv1.Lease) { l.Labels = map[string]string{"a": "b"} }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := testLease(t, testNow, goodReport(testNow))
			after := before.DeepCopy()
			after.ResourceVersion = "2"
			after.Spec.RenewTime = new(metav1.NewMicroTime(testNow.Add(10 * time.Second)))
			tc.change(after)
			if got := isNews(before, after); got != tc.want {
				t.Errorf("isNews is %t", got)
			}
		})
	}
	first := testLease(t, testNow, goodReport(testNow))
	first.Spec.RenewTime = nil
	if !isNews(first, testLease(t, testNow, goodReport(testNow))) {
		t.Error("the first heartbeat is no news")
	}
}

// Whatever a bot that has been taken over writes, the API server accepts the status that comes of it, and the metrics
// stay few.
func TestReportsAreMadeToFit(t *testing.T) {
	hostile := v1alpha1.BotReport{
		Site:          v1alpha1.PeerReport{Reason: "no reason!", Message: strings.Repeat("é", 2000), LastError: "\xff"},
		Telegram:      v1alpha1.PeerReport{Reason: strings.Repeat("x", 2000)},
		ChatTitle:     strings.Repeat("t", 3000),
		FramesRefused: map[string]int64{"a b": 1},
	}
	for i := range 100 {
		hostile.FramesRefused[fmt.Sprintf("reason-%d", i)] = 1
	}
	text, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	r := parseReport(string(text))
	if r == nil {
		t.Fatal("the report is not read at all")
	}
	if r.Site.Reason != "Unspecified" || r.Telegram.Reason != "Unspecified" {
		t.Errorf("the reasons are %q and %q", r.Site.Reason, r.Telegram.Reason)
	}
	for _, s := range []string{r.Site.Message, r.Site.LastError, r.ChatTitle} {
		if len(s) > maxMessageBytes || !utf8.ValidString(s) {
			t.Errorf("a text of %d bytes passes: %.40q", len(s), s)
		}
	}
	if len(r.FramesRefused) != maxRefusalReasons {
		t.Errorf("%d reasons pass, want %d", len(r.FramesRefused), maxRefusalReasons)
	}
	if _, ok := r.FramesRefused["a b"]; ok {
		t.Error(`the reason "a b" passes`)
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add(`{"site":{"ok":true,"reason":"Connected","since":"2026-01-01T00:00:00Z"},"tickets":{"received":1}}`)
	f.Add(`{"site":{"since":null},"tickets":{"lastPostedTime":"0000-01-01T00:00:00Z"},"framesRefused":{"":1}}`)
	f.Add(`[[[[`)
	f.Fuzz(func(t *testing.T, text string) {
		r := parseReport(text)
		if r == nil {
			return
		}
		for _, p := range []v1alpha1.PeerReport{r.Site, r.Telegram} {
			if !reasonPattern.MatchString(p.Reason) || len(p.Message) > maxMessageBytes || len(p.LastError) > maxMessageBytes {
				t.Errorf("the API server would refuse %+v", p)
			}
		}
		once, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if again := parseReport(string(once)); len(once) <= maxReportBytes && !cmp.Equal(r, again, cmpopts.EquateEmpty()) {
			t.Errorf("a report that was made to fit changes again:\n%s", cmp.Diff(r, again))
		}
	})
}

func TestTruncate(t *testing.T) {
	tests := []struct {
		in   string
		n    int
		want string
	}{
		{"short", 5, "short"}, {"longer", 5, "lo…"}, {"ééé", 5, "é…"}, {"\xffx", 10, "\uFFFDx"}, {"", 5, ""},
	}
	for _, tc := range tests {
		if got := truncate(tc.in, tc.n); got != tc.want {
			t.Errorf("truncate(%q, %d) is %q, want %q", tc.in, tc.n, got, tc.want)
		}
	}
}
