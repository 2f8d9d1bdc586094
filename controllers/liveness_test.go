// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// A bot's silence shows by the operator's own clock, and so does its return, though it says nothing new.
func TestSilenceAndReturn(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	h.clock.advance(46 * time.Second)
	h.poke("shop")
	h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale)
	h.condition("shop", v1alpha1.ConditionTelegramReachable, metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale)
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWorkloadUnavailable)
	if state := h.bridge("shop").Status.Connection.State; state != v1alpha1.ConnectionUnknown {
		t.Errorf("the connection is %s", state)
	}
	h.beat("shop", nil)
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// Clocks that differ by an hour make no bot dead that lives, nor one alive that is dead; a new operator's first look
// neither.
func TestTheBotsClockDoesNotMatter(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.botAhead = ahead
			h.createBridge("shop")
			h.run()
			h.settle("shop")
			h.operator.memory.forget(h.key("shop"))
			h.clock.advance(10 * time.Second)
			h.poke("shop")
			h.beat("shop", nil)
			h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.AdminURL = "https://shop.example" })
			h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected)
			h.clock.advance(46 * time.Second)
			h.poke("shop")
			h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale)
			h.operator.memory.forget(h.key("shop"))
			h.changeSpec("shop", func(s *v1alpha1.FeedbackBridgeSpec) { s.Site.AdminURL = "" })
			h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale)
			h.beat("shop", nil)
			h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionTrue, v1alpha1.ReasonConnected)
		})
	}
}

// The site's trouble is the site's alone: the workload stays available. Ready follows when it lasts.
func TestSiteDownIsNotTheWorkloadsFault(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	report := goodReport(h.clock.Now())
	report.Site = v1alpha1.PeerReport{
		Reason: v1alpha1.ReasonConnectionRefused, Message: "Nothing listens at shop.example:443.",
		LastError: "Nothing listens at shop.example:443.", Since: metav1.NewTime(h.clock.Now()),
	}
	h.beat("shop", &report)
	c := h.condition("shop", v1alpha1.ConditionSiteConnected, metav1.ConditionFalse, v1alpha1.ReasonConnectionRefused)
	if !strings.HasPrefix(c.Message, "Nothing listens at shop.example:443; start the site") {
		t.Errorf("the condition says %q", c.Message)
	}
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	h.clock.advance(siteGrace)
	h.poke("shop")
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonConnectionRefused)
	h.condition("shop", v1alpha1.ConditionWorkloadAvailable, metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	h.settle("shop")
}

// The timer for a heartbeat's end is armed by every reconcile.
func TestTheNextLookIsWhenTheHeartbeatEnds(t *testing.T) {
	h := newHarness(t)
	h.createBridge("shop")
	h.start()
	request := ctrl.Request{NamespacedName: h.key("shop")}
	h.reconcileUntilQuiet(request)
	h.beat("shop", new(goodReport(h.clock.Now())))
	h.reconcileWhenCached(request, v1alpha1.TicketsStatus{})
	h.clock.advance(15 * time.Second)
	result := h.reconcileWhenCached(request, v1alpha1.TicketsStatus{})
	if want := 30*time.Second + timerSlack; result.RequeueAfter != want {
		t.Errorf("the next look is in %s, want %s", result.RequeueAfter, want)
	}
}

// The bridges are exported by name, and leave nothing behind when they go.
func TestMetrics(t *testing.T) {
	h := newHarness(t).run()
	bridge := h.createBridge("shop")
	report := goodReport(h.clock.Now())
	report.Reconnects, report.Tickets = 3, v1alpha1.TicketsStatus{Received: 7, Posted: 5, Pending: 1, Failed: 1}
	report.FramesRefused = map[string]int64{"bad-signature": 4}
	h.beat("shop", &report)
	h.condition("shop", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	registry := prometheus.NewPedanticRegistry()
	h.must(registry.Register(&Collector{Reader: h.mgr.GetCache(), Now: h.clock.Now}))
	want := map[string]float64{
		"feedbackbridge_ready": 1, "feedbackbridge_suspended": 0, "feedbackbridge_site_connected": 1, "feedbackbridge_telegram_reachable": 1,
		"feedbackbridge_tickets_pending": 1, "feedbackbridge_tickets_received_total": 7, "feedbackbridge_tickets_posted_total": 5,
		"feedbackbridge_tickets_failed_total": 1, "feedbackbridge_site_reconnects_total": 3, "feedbackbridge_frames_refused_total": 4,
		"feedbackbridge_rotation_overdue":             0,
		"feedbackbridge_bot_start_timestamp_seconds":  float64(report.StartedAt.Unix()),
		"feedbackbridge_heartbeat_timestamp_seconds":  float64(h.clock.Now().Unix()),
		"feedbackbridge_jwt_expiry_timestamp_seconds": float64(h.clock.Now().Add(24 * time.Hour).Unix()),
	}
	h.eventually("every metric has its value", func() error {
		families, err := registry.Gather()
		h.must(err)
		return compareMetrics(want, families, h.namespace)
	})
	h.must(h.client.Delete(h.ctx, bridge))
	h.eventually("the series are gone", func() error {
		families, err := registry.Gather()
		h.must(err)
		return compareMetrics(nil, families, h.namespace)
	})
}

func compareMetrics(want map[string]float64, families []*dto.MetricFamily, namespace string) error {
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			labels := labelsOfMetric(m)
			if _, ok := labels["kind"]; ok {
				continue // TestRotationMetrics'
			}
			if labels["namespace"] != namespace || labels["name"] != "shop" {
				return fmt.Errorf("%s has the labels %v", family.GetName(), labels)
			}
			if reason, ok := labels["reason"]; ok && reason != "bad-signature" {
				return fmt.Errorf("%s has the reason %q", family.GetName(), reason)
			}
			got[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("metrics (-want +got):\n%s", diff)
	}
	return nil
}

func labelsOfMetric(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

// A rotation shows by its present phase alone, and so does one that the site does not follow.
func TestRotationMetrics(t *testing.T) {
	o := testObservation(t)
	o.bridge.Status = v1alpha1.FeedbackBridgeStatus{
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionRotationOverdue, Status: metav1.ConditionTrue}},
		Credentials: &v1alpha1.CredentialsStatus{
			HMAC: &v1alpha1.HMACStatus{RotationStatus: v1alpha1.RotationStatus{Phase: v1alpha1.RotationPublished}},
			JWT: &v1alpha1.JWTStatus{Rotation: &v1alpha1.RotationStatus{
				Phase: v1alpha1.RotationStable, NextRotation: new(metav1.NewTime(testNow))}},
		},
	}
	collected := make(chan prometheus.Metric, 100)
	collectBridge(collected, o.bridge, o.health)
	close(collected)
	got := map[string]float64{}
	for metric := range collected {
		var m dto.Metric
		if err := metric.Write(&m); err != nil {
			t.Fatal(err)
		}
		labels := labelsOfMetric(&m)
		if kind, ok := labels["kind"]; ok {
			got[kind+" "+labels["phase"]] = m.GetGauge().GetValue()
		}
		if metric.Desc() == descOverdue {
			got["overdue"] = m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{"hmac Published": 1, "jwt Stable": 1, "jwt ": float64(testNow.Unix()), "overdue": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// Events tell what happened to the person who asks for them, in order and once.
func TestEvents(t *testing.T) {
	h := newHarness(t).run()
	h.createBridge("shop")
	h.settle("shop")
	h.setSecret("site", "hmac", "second key")
	h.eventually("the key's change is in the status", func() error {
		if h.bridge("shop").Status.Credentials.HMAC.NextKeyID == "" {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	want := []string{"Normal Ready", "Normal RotationStaged"}
	var got []string
	for len(h.events.Events) > 0 {
		e := <-h.events.Events
		got = append(got, strings.Join(strings.Fields(e)[:2], " "))
		for _, secret := range []string{"first key", "second key", "signing key", "TEST-TOKEN"} {
			if strings.Contains(e, secret) {
				t.Errorf("an event holds a secret: %s", e)
			}
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
