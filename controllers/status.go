// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// countersInterval is how often counters alone may change the status.
const countersInterval = time.Minute

// computeStatus is the whole status of an observation; only the times of what did not change come from the old one.
func computeStatus(o *observation) v1alpha1.FeedbackBridgeStatus {
	old := o.bridge.Status
	s := v1alpha1.FeedbackBridgeStatus{
		ObservedGeneration: o.bridge.Generation,
		Connection:         connectionStatus(o, old.Connection),
		Credentials:        credentialsStatus(o),
	}
	if r := o.health.report; r != nil {
		s.Telegram = &v1alpha1.TelegramStatus{
			BotUsername: r.BotUsername,
			ChatTitle:   r.ChatTitle, EffectiveChatID: r.EffectiveChatID,
			LastError: r.Telegram.LastError,
		}
		s.Tickets = r.Tickets.DeepCopy()
	}
	s.Conditions = computeConditions(o)
	return s
}

func connectionStatus(o *observation, old *v1alpha1.ConnectionStatus) *v1alpha1.ConnectionStatus {
	s := &v1alpha1.ConnectionStatus{State: connectionState(o)}
	r := o.health.report
	if r != nil {
		s.Reconnects, s.LastError = r.Reconnects, r.Site.LastError
	}
	switch {
	case s.State == v1alpha1.ConnectionSuspended || !o.health.fresh:
	case r != nil:
		s.Pod, s.Since = o.health.pod, apiTime(r.Site.Since.Time)
		return s
	default:
		s.Pod = o.health.pod
	}
	// The operator's own verdict: it holds since it was first given.
	if old != nil && old.State == s.State && old.Since != nil {
		s.Since = old.Since
	} else {
		s.Since = apiTime(o.now)
	}
	return s
}

func connectionState(o *observation) v1alpha1.ConnectionState {
	r := o.health.report
	switch {
	case suspended(o.bridge):
		return v1alpha1.ConnectionSuspended
	case r == nil || !o.health.fresh:
		return v1alpha1.ConnectionUnknown
	case r.Site.OK:
		return v1alpha1.ConnectionConnected
	case r.Site.Reason == v1alpha1.ReasonConnecting:
		return v1alpha1.ConnectionConnecting
	case r.Site.Reason == v1alpha1.ReasonCredentialsRefused:
		return v1alpha1.ConnectionRefused
	default:
		return v1alpha1.ConnectionDisconnected
	}
}

func credentialsStatus(o *observation) *v1alpha1.CredentialsStatus {
	s := &v1alpha1.CredentialsStatus{
		JWT: o.creds.jwt.DeepCopy(), HMAC: o.creds.hmac.DeepCopy(), HandledRotateNow: o.creds.handledRotateNow,
	}
	if s.HMAC != nil && o.health.report != nil {
		s.HMAC.SiteKeyID = o.health.report.SiteKeyID
	}
	if s.JWT == nil && s.HMAC == nil {
		return nil
	}
	return s
}

// withCountersOf is a status with the counters of another.
func withCountersOf(s, other v1alpha1.FeedbackBridgeStatus) v1alpha1.FeedbackBridgeStatus {
	s = *s.DeepCopy()
	if s.Tickets != nil && other.Tickets != nil {
		s.Tickets = other.Tickets.DeepCopy()
	}
	if s.Connection != nil && other.Connection != nil {
		s.Connection.Reconnects = other.Connection.Reconnects
	}
	return s
}

// decideWrite is whether a status has to be written now, given when counters last were. Counters alone wait for their
// turn, which is at due; due is zero when there is nothing to wait for.
func decideWrite(old, computed v1alpha1.FeedbackBridgeStatus, countersAt, now time.Time) (write bool, due time.Time) {
	if equality.Semantic.DeepEqual(old, computed) {
		return false, time.Time{}
	}
	if !equality.Semantic.DeepEqual(old, withCountersOf(computed, old)) {
		return true, time.Time{}
	}
	if due := countersAt.Add(countersInterval); now.Before(due) {
		return false, due
	}
	return true, time.Time{}
}
