// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

func TestConnectionStatus(t *testing.T) {
	at := func(age time.Duration) *metav1.Time { return new(metav1.NewTime(testNow.Add(-age))) }
	site := func(p v1alpha1.PeerReport) func(*v1alpha1.BotReport) {
		return func(r *v1alpha1.BotReport) { p.Since = *at(time.Hour); r.Site = p }
	}
	const pod = "shop-bot-abc"
	tests := map[string]struct {
		given func(*testing.T, *observation)
		old   *v1alpha1.ConnectionStatus
		want  v1alpha1.ConnectionStatus
	}{
		"connected": {func(t *testing.T, o *observation) {
			o.at(t, 0, func(r *v1alpha1.BotReport) {
				site(v1alpha1.PeerReport{OK: true, Reason: "Connected", LastError: "timed out"})(r)
				r.Reconnects, r.Protocol = 2, "v2"
			})
		}, nil, v1alpha1.ConnectionStatus{State: "Connected", Since: at(time.Hour), Pod: pod, Protocol: "v2", Reconnects: 2, LastError: "timed out"}},
		"dialling": {func(t *testing.T, o *observation) { o.at(t, 0, site(v1alpha1.PeerReport{Reason: "Connecting"})) }, nil,
			v1alpha1.ConnectionStatus{State: "Connecting", Since: at(time.Hour), Pod: pod}},
		"refused": {func(t *testing.T, o *observation) {
			o.at(t, 0, site(v1alpha1.PeerReport{Reason: "CredentialsRefused"}))
		}, nil,
			v1alpha1.ConnectionStatus{State: "Refused", Since: at(time.Hour), Pod: pod}},
		"lost": {func(t *testing.T, o *observation) { o.at(t, 0, site(v1alpha1.PeerReport{Reason: "Timeout"})) }, nil,
			v1alpha1.ConnectionStatus{State: "Disconnected", Since: at(time.Hour), Pod: pod}},
		"silent since now": {func(t *testing.T, o *observation) { o.at(t, time.Minute, nil) },
			&v1alpha1.ConnectionStatus{State: "Connected", Since: at(time.Hour)}, v1alpha1.ConnectionStatus{State: "Unknown", Since: at(0)}},
		"silent for long": {func(t *testing.T, o *observation) { o.at(t, time.Minute, nil) },
			&v1alpha1.ConnectionStatus{State: "Unknown", Since: at(time.Hour)}, v1alpha1.ConnectionStatus{State: "Unknown", Since: at(time.Hour)}},
		"suspended": {func(t *testing.T, o *observation) { o.bridge.Spec.Suspend = new(true) }, nil,
			v1alpha1.ConnectionStatus{State: "Suspended", Since: at(0)}},
		"nobody there": {func(t *testing.T, o *observation) { o.health = health{} }, nil,
			v1alpha1.ConnectionStatus{State: "Unknown", Since: at(0)}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := testObservation(t)
			tc.given(t, o)
			if diff := cmp.Diff(&tc.want, connectionStatus(o, tc.old)); diff != "" {
				t.Errorf("connection (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideWrite(t *testing.T) {
	base := v1alpha1.FeedbackBridgeStatus{
		ObservedGeneration: 1,
		Connection:         &v1alpha1.ConnectionStatus{State: v1alpha1.ConnectionConnected, Reconnects: 1},
		Tickets:            &v1alpha1.TicketsStatus{Received: 1},
	}
	counters := func(s *v1alpha1.FeedbackBridgeStatus) { s.Tickets.Received, s.Connection.Reconnects = 5, 2 }
	both := func(s *v1alpha1.FeedbackBridgeStatus) { counters(s); s.Connection.State = v1alpha1.ConnectionUnknown }
	tests := map[string]struct {
		change func(*v1alpha1.FeedbackBridgeStatus)
		since  time.Duration
		write  bool
		due    time.Time
	}{
		"nothing changed":          {func(*v1alpha1.FeedbackBridgeStatus) {}, time.Hour, false, time.Time{}},
		"counters, soon after":     {counters, 20 * time.Second, false, testNow.Add(40 * time.Second)},
		"counters, a minute later": {counters, time.Minute, true, time.Time{}},
		"a state with counters":    {both, time.Second, true, time.Time{}},
		"the first counters":       {func(s *v1alpha1.FeedbackBridgeStatus) { s.Tickets = nil }, time.Second, true, time.Time{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			computed := *base.DeepCopy()
			tc.change(&computed)
			write, due := decideWrite(base, computed, testNow.Add(-tc.since), testNow)
			if write != tc.write || !due.Equal(tc.due) {
				t.Errorf("decideWrite gives %t and %s, want %t and %s", write, due, tc.write, tc.due)
			}
		})
	}
}

// The next look is at the first of the timers, and none is set together with an error.
func TestResult(t *testing.T) {
	tests := map[string]struct {
		given func(*testing.T, *observation)
		due   time.Time
		want  time.Duration
		err   bool
	}{
		"when the heartbeat becomes stale": {nil, time.Time{}, 45*time.Second + timerSlack, false},
		"when counters are due":            {nil, testNow.Add(5 * time.Second), 5*time.Second + timerSlack, false},
		"when the token is to be renewed": {func(t *testing.T, o *observation) { o.creds.nextChange = testNow.Add(time.Second) },
			time.Time{}, time.Second + timerSlack, false},
		"soon, while the pod does not run": {func(t *testing.T, o *observation) { o.health = health{} }, time.Time{}, retryWorkload + timerSlack, false},
		"never, when suspended and silent": {func(t *testing.T, o *observation) { o.health = health{}; o.bridge.Spec.Suspend = new(true) },
			time.Time{}, 0, false},
		"later, when refused for good": {func(t *testing.T, o *observation) {
			o.applied.err = invalidError()
			o.health = health{}
			o.deployment = nil
			// What was due was refused, and is due still.
			o.creds.nextChange = testNow.Add(-time.Hour)
		},
			time.Time{}, retryTerminal + timerSlack, false},
		"by the queue's back-off after an error": {func(t *testing.T, o *observation) { o.applied.err = errors.New("etcd") }, time.Time{}, 0, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := testObservation(t)
			if tc.given != nil {
				tc.given(t, o)
			}
			result, err := o.result(tc.due)
			if result.RequeueAfter != tc.want || (err != nil) != tc.err {
				t.Errorf("result is %s and %v, want %s and an error: %t", result.RequeueAfter, err, tc.want, tc.err)
			}
		})
	}
}

// Events mark transitions, and nothing else.
func TestTransitions(t *testing.T) {
	well := testObservation(t)
	good := conditionsAfter(well, nil)
	down := testObservation(t)
	down.at(t, 0, func(r *v1alpha1.BotReport) {
		r.Site = v1alpha1.PeerReport{Reason: v1alpha1.ReasonTimeout, Message: "slow"}
	})
	other := testObservation(t)
	other.at(t, 0, func(r *v1alpha1.BotReport) {
		r.Site = v1alpha1.PeerReport{Reason: v1alpha1.ReasonDNSFailure, Message: "no such host"}
	})
	created := testObservation(t)
	created.deployment, created.health = nil, health{}
	broken := testObservation(t)
	broken.deployment, broken.health = nil, health{}
	broken.creds.fail(problemf(v1alpha1.ReasonSecretNotFound, "gone"))
	nowhere := testObservation(t)
	telegramSays(v1alpha1.ReasonChatNotFound, "")(t, nowhere)
	late := testObservation(t)
	overdue(v1alpha1.ReasonSiteKeyNotAdopted)(t, late)
	stopped := testObservation(t)
	stopped.bridge.Spec.Suspend = new(true)
	down.now = down.now.Add(siteGrace)
	lost := conditionsAfter(down, good)
	down.now = down.now.Add(siteGrace)
	bad := conditionsAfter(down, lost)
	other.now = down.now
	tests := map[string]struct {
		before, after []metav1.Condition
		want          []string
	}{
		"nothing happened":            {good, conditionsAfter(well, good), nil},
		"just created":                {nil, conditionsAfter(created, nil), nil},
		"created with broken Secrets": {nil, conditionsAfter(broken, nil), []string{"Warning SecretNotFound"}},
		"became well": {conditionsAfter(created, nil), conditionsAfter(well, conditionsAfter(created, nil)),
			[]string{"Normal Ready"}},
		"well when it is first looked at": {nil, good, []string{"Normal Ready"}},
		"the site went":                   {good, lost, []string{"Warning Timeout"}},
		"and stayed away":                 {lost, bad, []string{"Warning Timeout"}},
		"another reason":                  {bad, conditionsAfter(other, bad), []string{"Warning DNSFailure"}},
		"the site came back":              {bad, conditionsAfter(well, bad), []string{"Normal Connected", "Normal Ready"}},
		"a key not taken up":              {good, conditionsAfter(late, good), []string{"Warning SiteKeyNotAdopted"}},
		"and taken up":                    {conditionsAfter(late, good), good, nil},
		"made for a wrong chat": {conditionsAfter(created, nil), conditionsAfter(nowhere, conditionsAfter(created, nil)),
			[]string{"Warning ChatNotFound"}},
		"stopped by its owner": {good, conditionsAfter(stopped, good), []string{"Normal Suspended", "Normal Suspended", "Normal Suspended"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range transitions(tc.before, tc.after) {
				got = append(got, e.eventType+" "+e.reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
