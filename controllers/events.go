// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The reasons of events that are not a condition's reason.
const (
	eventHMACKeyChanged = "HMACKeyChanged"
	eventTokenMinted    = "TokenMinted"
)

// maxNoteBytes is the API server's limit for an event's note.
const maxNoteBytes = 1024

// event is one thing that happened to a bridge.
type event struct{ eventType, reason, action, note string }

func normal(reason, format string, args ...any) event {
	return event{corev1.EventTypeNormal, reason, "Reconcile", fmt.Sprintf(format, args...)}
}

// watchedConditions are those whose transitions become events, and what the transition is called there.
var watchedConditions = []string{
	v1alpha1.ConditionCredentialsReady,
	v1alpha1.ConditionSiteConnected,
	v1alpha1.ConditionTelegramReachable,
	v1alpha1.ConditionReady,
}

// transitions are the events between two statuses: a condition that became True, or stopped being so. A condition that
// is not True when it is first seen is no event, for a new bridge starts that way, unless it is the credentials that a
// person has to mend.
func transitions(before, after []metav1.Condition) []event {
	var out []event
	for _, kind := range watchedConditions {
		now := meta.FindStatusCondition(after, kind)
		if now == nil {
			continue
		}
		was := meta.FindStatusCondition(before, kind)
		if was != nil && was.Status == now.Status {
			continue
		}
		switch {
		case now.Status == metav1.ConditionTrue:
			out = append(out, event{corev1.EventTypeNormal, now.Reason, kind, now.Message})
		case was != nil && was.Status == metav1.ConditionTrue,
			now.Status == metav1.ConditionFalse && kind == v1alpha1.ConditionCredentialsReady,
			now.Status == metav1.ConditionFalse && kind == v1alpha1.ConditionSiteConnected && now.Reason != v1alpha1.ReasonConnecting:
			out = append(out, event{severity(now.Reason), now.Reason, kind, now.Message})
		}
	}
	return out
}

// severity is Normal where the condition ended because its bridge was told to stop, or to work by another spec.
func severity(reason string) string {
	if reason == v1alpha1.ReasonSuspended || reason == v1alpha1.ReasonProgressing {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

func record(recorder events.EventRecorder, bridge *v1alpha1.FeedbackBridge, list []event) {
	for _, e := range list {
		recorder.Eventf(bridge, nil, e.eventType, e.reason, e.action, "%s", truncate(e.note, maxNoteBytes))
	}
}
