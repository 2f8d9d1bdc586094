// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// What Ready becomes while the site is away: it holds for the grace alone, by the operator's clock, and only where it was
// True. SiteConnected says at once what is.
func TestReadyHoldsThroughShortLossesOfTheSite(t *testing.T) {
	lost := func(reason string) func(*v1alpha1.BotReport) {
		return func(r *v1alpha1.BotReport) { r.Site = v1alpha1.PeerReport{Reason: reason, Message: "why"} }
	}
	mismatch := func(r *v1alpha1.BotReport) {
		r.Refusing = &v1alpha1.RefusalReport{Reason: refusedSignature, Count: 1}
	}
	noChat := func(r *v1alpha1.BotReport) {
		r.Site = v1alpha1.PeerReport{Reason: v1alpha1.ReasonTimeout}
		r.Telegram = v1alpha1.PeerReport{Reason: v1alpha1.ReasonChatNotFound}
	}
	tests := map[string]struct {
		was    func(*v1alpha1.BotReport) // before; nil for Ready
		report func(*v1alpha1.BotReport)
		// want is Ready, its reason and Stalled's: at once, just before the grace ends, and when it does.
		want [3]string
	}{
		"a connection that is lost": {nil, lost(v1alpha1.ReasonConnectionLost),
			[3]string{"True Ready", "True Ready", "False ConnectionLost"}},
		"one that is dialled anew": {nil, lost(v1alpha1.ReasonConnecting), [3]string{"True Ready", "True Ready", "False Connecting"}},
		"a key that the bot lacks": {nil, mismatch,
			[3]string{"True Ready", "True Ready", "False SiteKeyMismatch, stalled"}},
		"a token that is refused": {nil, lost(v1alpha1.ReasonCredentialsRefused),
			[3]string{"False CredentialsRefused, stalled", "False CredentialsRefused, stalled", "False CredentialsRefused, stalled"}},
		"a chat that is gone as well": {nil, noChat,
			[3]string{"False ChatNotFound, stalled", "False Timeout, stalled", "False Timeout, stalled"}},
		"a bridge that was not Ready": {lost(v1alpha1.ReasonConnecting), lost(v1alpha1.ReasonTimeout),
			[3]string{"False Timeout", "False Timeout", "False Timeout"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := testObservation(t)
			before.at(t, 0, tc.was)
			conditions := computeConditions(before)
			for i, after := range []time.Duration{0, siteGrace - time.Second, siteGrace} {
				o := testObservation(t)
				o.at(t, 0, tc.report)
				o.now = testNow.Add(time.Minute + after)
				o.health.fresh = true
				o.bridge.Status.Conditions = conditions
				held := o.readyHeldUntil()
				conditions = computeConditions(o)
				ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
				got := string(ready.Status) + " " + ready.Reason
				if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled) {
					got += ", stalled"
				}
				if got != tc.want[i] {
					t.Errorf("after %s Ready is %s, want %s", after, got, tc.want[i])
				}
				if ready.Status == metav1.ConditionTrue && !held.Equal(testNow.Add(time.Minute+siteGrace)) {
					t.Errorf("after %s it is held until %s", after, held)
				}
				if site := meta.FindStatusCondition(conditions, v1alpha1.ConditionSiteConnected); site.Status != metav1.ConditionFalse {
					t.Errorf("after %s SiteConnected is %s", after, site.Status)
				}
			}
		})
	}
}

// A timer ends the grace, though nobody says anything.
func TestTheGraceHasATimer(t *testing.T) {
	o := testObservation(t)
	o.bridge.Status.Conditions = computeConditions(o)
	o.at(t, 0, func(r *v1alpha1.BotReport) { r.Site = v1alpha1.PeerReport{Reason: v1alpha1.ReasonTimeout} })
	result, err := o.result(time.Time{})
	if err != nil || result.RequeueAfter != siteGrace+timerSlack {
		t.Errorf("the next look is in %s, want %s; %v", result.RequeueAfter, siteGrace+timerSlack, err)
	}
}
