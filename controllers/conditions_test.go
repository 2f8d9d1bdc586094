// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// testObservation is of a bridge that is well.
func testObservation(t *testing.T) *observation {
	t.Helper()
	bridge := (&harness{namespace: "support"}).goodBridge("shop")
	bridge.Generation = 3
	bridge.SetDefaults()
	return &observation{
		bridge: bridge, now: testNow,
		deployment: &appsv1.Deployment{},
		health:     healthOf(testLease(t, testNow, goodReport(testNow)), testNow, testNow),
	}
}

// conditionsAfter are the conditions that follow others.
func conditionsAfter(o *observation, old []metav1.Condition) []metav1.Condition {
	o.bridge.Status.Conditions = old
	return computeConditions(o)
}

// at changes what the bot says, and when.
func (o *observation) at(t *testing.T, age time.Duration, change func(*v1alpha1.BotReport)) {
	t.Helper()
	report := goodReport(testNow)
	if change != nil {
		change(&report)
	}
	o.health = healthOf(testLease(t, testNow.Add(-age), report), testNow.Add(-age), testNow)
}

func invalidError() error {
	return fmt.Errorf("apply Deployment shop-bot: %w", apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "shop-bot", nil))
}

// What a person sees: each condition by its first letter and its reason, Reconciling and Stalled only when present.
func TestConditions(t *testing.T) {
	site := func(reason string) func(*v1alpha1.BotReport) {
		return func(r *v1alpha1.BotReport) { r.Site = v1alpha1.PeerReport{Reason: reason, Message: "why"} }
	}
	telegram := func(reason string) func(*v1alpha1.BotReport) {
		return func(r *v1alpha1.BotReport) { r.Telegram = v1alpha1.PeerReport{Reason: reason, Message: "why"} }
	}
	gaveUp := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: progressDeadlineExceeded}
	tests := map[string]struct {
		given func(*testing.T, *observation)
		// want are Ready, Reconciling, Stalled, CredentialsReady, WorkloadAvailable, SiteConnected, TelegramReachable.
		want string
	}{
		"all is well": {nil,
			"True/Ready - - True/CredentialsReady True/WorkloadAvailable True/Connected True/Reachable"},
		"just created": {func(t *testing.T, o *observation) { o.deployment, o.health = nil, health{} },
			"False/WorkloadUnavailable True/Progressing - True/CredentialsReady False/WorkloadUnavailable Unknown/HeartbeatMissing Unknown/HeartbeatMissing"},
		"the pod runs and has not reported": {func(t *testing.T, o *observation) { o.health = health{}; o.deployment.Status.AvailableReplicas = 1 },
			"False/HeartbeatMissing True/Progressing - True/CredentialsReady True/WorkloadAvailable Unknown/HeartbeatMissing Unknown/HeartbeatMissing"},
		"dialling": {func(t *testing.T, o *observation) { o.at(t, 0, site(v1alpha1.ReasonConnecting)) },
			"False/Connecting True/Progressing - True/CredentialsReady True/WorkloadAvailable False/Connecting True/Reachable"},
		"the site is down": {func(t *testing.T, o *observation) { o.at(t, 0, site(v1alpha1.ReasonConnectionRefused)) },
			"False/ConnectionRefused - - True/CredentialsReady True/WorkloadAvailable False/ConnectionRefused True/Reachable"},
		"the site refuses the token": {func(t *testing.T, o *observation) { o.at(t, 0, site(v1alpha1.ReasonCredentialsRefused)) },
			"False/CredentialsRefused - True/CredentialsRefused True/CredentialsReady True/WorkloadAvailable False/CredentialsRefused True/Reachable"},
		"Telegram is out of reach": {func(t *testing.T, o *observation) { o.at(t, 0, telegram(v1alpha1.ReasonUnreachable)) },
			"False/Unreachable - - True/CredentialsReady True/WorkloadAvailable True/Connected False/Unreachable"},
		"the chat is not there": {func(t *testing.T, o *observation) { o.at(t, 0, telegram(v1alpha1.ReasonChatNotFound)) },
			"False/ChatNotFound - True/ChatNotFound True/CredentialsReady True/WorkloadAvailable True/Connected False/ChatNotFound"},
		"the bot is silent": {func(t *testing.T, o *observation) { o.at(t, time.Minute, nil) },
			"False/WorkloadUnavailable True/Progressing - True/CredentialsReady False/WorkloadUnavailable Unknown/HeartbeatStale Unknown/HeartbeatStale"},
		"the bot is silent and its pod runs": {func(t *testing.T, o *observation) {
			o.at(t, time.Minute, nil)
			o.deployment.Status.AvailableReplicas = 1
		},
			"False/HeartbeatStale - - True/CredentialsReady True/WorkloadAvailable Unknown/HeartbeatStale Unknown/HeartbeatStale"},
		"the pod never comes": {func(t *testing.T, o *observation) {
			o.health = health{}
			o.deployment.Status.Conditions = []appsv1.DeploymentCondition{gaveUp}
		}, "False/WorkloadUnavailable - True/WorkloadUnavailable True/CredentialsReady False/WorkloadUnavailable Unknown/HeartbeatMissing Unknown/HeartbeatMissing"},
		"a Secret is missing, the bot runs": {func(t *testing.T, o *observation) { o.creds.fail(problemf(v1alpha1.ReasonSecretNotFound, "gone")) },
			"False/SecretNotFound - True/SecretNotFound False/SecretNotFound True/WorkloadAvailable True/Connected True/Reachable"},
		"suspended": {func(t *testing.T, o *observation) { o.bridge.Spec.Suspend = new(true) },
			"False/Suspended - - True/CredentialsReady False/Suspended False/Suspended False/Suspended"},
		"the API server refuses a child": {func(t *testing.T, o *observation) { o.applied.err = invalidError() },
			"False/ApplyFailed - True/ApplyFailed True/CredentialsReady True/WorkloadAvailable True/Connected True/Reachable"},
		"the API server has no quota left": {func(t *testing.T, o *observation) { o.applied.err = errors.New("exceeded quota") },
			"False/ApplyFailed True/Progressing - True/CredentialsReady True/WorkloadAvailable True/Connected True/Reachable"},
		"a conflict of the moment": {func(t *testing.T, o *observation) {
			o.applied.err = apierrors.NewConflict(schema.GroupResource{}, "x", errors.New("behind"))
		}, "True/Ready - - True/CredentialsReady True/WorkloadAvailable True/Connected True/Reachable"},
		"the spec is invalid": {func(t *testing.T, o *observation) { o.invalid = problemf(v1alpha1.ReasonInvalidSpec, "no such zone") },
			"False/InvalidSpec - True/InvalidSpec True/CredentialsReady True/WorkloadAvailable True/Connected True/Reachable"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := testObservation(t)
			if tc.given != nil {
				tc.given(t, o)
			}
			conditions := computeConditions(o)
			if diff := cmp.Diff(tc.want, inShort(conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			for _, c := range conditions {
				if c.ObservedGeneration != 3 || c.LastTransitionTime.IsZero() || c.Message == "" {
					t.Errorf("%s lacks a generation, a time or a message: %+v", c.Type, c)
				}
			}
		})
	}
}

func inShort(conditions []metav1.Condition) string {
	var out string
	for _, kind := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionCredentialsReady,
		v1alpha1.ConditionWorkloadAvailable, v1alpha1.ConditionSiteConnected, v1alpha1.ConditionTelegramReachable,
	} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil {
			out += fmt.Sprintf("%s/%s ", c.Status, c.Reason)
		} else {
			out += "- "
		}
	}
	return out[:len(out)-1]
}

// A condition keeps the time of its last transition through changes of its reason and message.
func TestConditionsKeepTheirTimes(t *testing.T) {
	o := testObservation(t)
	first := computeConditions(o)
	o.now = testNow.Add(time.Hour)
	o.at(t, 0, func(r *v1alpha1.BotReport) {
		r.Site = v1alpha1.PeerReport{Reason: v1alpha1.ReasonTimeout, Message: "slow"}
	})
	second := conditionsAfter(o, first)
	o.now = testNow.Add(2 * time.Hour)
	o.at(t, 0, func(r *v1alpha1.BotReport) {
		r.Site = v1alpha1.PeerReport{Reason: v1alpha1.ReasonDNSFailure, Message: "no such host"}
	})
	third := conditionsAfter(o, second)
	for kind, want := range map[string]time.Time{
		v1alpha1.ConditionSiteConnected:     testNow.Add(time.Hour),
		v1alpha1.ConditionTelegramReachable: testNow,
	} {
		if c := meta.FindStatusCondition(third, kind); !c.LastTransitionTime.Time.Equal(want) {
			t.Errorf("%s changed at %s, want %s", kind, c.LastTransitionTime, want)
		}
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "x", errors.New("behind"))
	forbidden := apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("quota"))
	tests := map[string]struct {
		err               error
		terminal, passing bool
	}{
		"none":                           {nil, false, true},
		"invalid":                        {invalidError(), true, false},
		"foreign":                        {fmt.Errorf("apply Secret x: %w", errForeign), true, false},
		"one of several is final":        {errors.Join(conflict, fmt.Errorf("more: %w", errors.Join(invalidError()))), true, false},
		"a conflict":                     {fmt.Errorf("apply x: %w", conflict), false, true},
		"two conflicts":                  {errors.Join(conflict, conflict), false, true},
		"a conflict and what is no such": {errors.Join(conflict, forbidden), false, false},
		"forbidden":                      {forbidden, false, false},
		"the server's fault":             {apierrors.NewInternalError(errors.New("etcd")), false, true},
		"a webhook's fault":              {apierrors.NewInternalError(errors.New("failed calling webhook \"x\"")), false, false},
		"no answer":                      {fmt.Errorf("read x: %w", &url.Error{Op: "Get", URL: "https://10.0.0.1", Err: io.EOF}), false, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if terminal, passing := isTerminal(tc.err), isPassing(tc.err); terminal != tc.terminal || passing != tc.passing {
				t.Errorf("terminal is %t and passing is %t, want %t and %t", terminal, passing, tc.terminal, tc.passing)
			}
		})
	}
}
