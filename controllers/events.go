// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The reasons of events that are not a condition's reason.
const (
	// eventTokenMinted: another token for the site was made; the note says why, and until when it is valid.
	eventTokenMinted = "TokenMinted"
)

// maxNoteBytes is the API server's limit for an event's note.
const maxNoteBytes = 1024

// event is one thing that happened to a bridge.
type event struct{ eventType, reason, action, note string }

func normal(reason, format string, args ...any) event {
	return event{corev1.EventTypeNormal, reason, "Reconcile", fmt.Sprintf(format, args...)}
}

// watchedConditions are those whose transitions become events, and what the transition is called there. Ready comes last,
// for it repeats the others.
var watchedConditions = []string{
	v1alpha1.ConditionCredentialsReady,
	v1alpha1.ConditionSiteConnected,
	v1alpha1.ConditionTelegramReachable,
	v1alpha1.ConditionRotationOverdue,
	v1alpha1.ConditionStorageTrouble,
	v1alpha1.ConditionReady,
}

// transitions are the events between two statuses: a condition that became True, or stopped being so, or is not True for
// another reason now. Of a new bridge Ready alone is told: thousands are brought up at a time. A site that flaps floods nobody: the recorder counts
// what comes again within six minutes in the event that is there, by bridge, condition and reason.
func transitions(before, after []metav1.Condition) []event {
	var out []event
	for _, kind := range watchedConditions {
		now, was := meta.FindStatusCondition(after, kind), meta.FindStatusCondition(before, kind)
		switch {
		case now == nil || (was != nil && was.Status == now.Status && was.Reason == now.Reason):
		case kind == v1alpha1.ConditionRotationOverdue, kind == v1alpha1.ConditionStorageTrouble:
			out = append(out, event{corev1.EventTypeWarning, now.Reason, kind, now.Message})
		case now.Status == metav1.ConditionTrue:
			if hadTrouble(was) || kind == v1alpha1.ConditionReady && (was == nil || was.Status != now.Status) {
				out = append(out, event{corev1.EventTypeNormal, now.Reason, kind, now.Message})
			}
		case was != nil && was.Status == metav1.ConditionTrue, now.Status == metav1.ConditionFalse && isNewTrouble(kind, now.Reason):
			out = append(out, event{severity(now.Reason), now.Reason, kind, now.Message})
		}
	}
	return out
}

// hadTrouble is whether a condition was known not to be True.
func hadTrouble(was *metav1.Condition) bool { return was != nil && was.Status == metav1.ConditionFalse }

// isNewTrouble is whether the reason of a condition that was not True before is worth telling: not what is under way, and
// of Ready only what no other event tells.
func isNewTrouble(kind, reason string) bool {
	if kind == v1alpha1.ConditionReady {
		return reason == v1alpha1.ReasonInvalidSpec || reason == v1alpha1.ReasonApplyFailed
	}
	return !slices.Contains(underWay, reason) && reason != v1alpha1.ReasonSuspended
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
