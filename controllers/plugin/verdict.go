// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// standing is how a bridge stands, in the order of how much it wants a person.
type standing int

const (
	standsReady standing = iota
	standsSuspended
	standsUnready
)

// judge says how a bridge stands, and why in a sentence: that is empty where there is nothing to say.
func judge(b *v1alpha1.FeedbackBridge) (standing, string) {
	ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return standsUnready, "the operator has not looked at it: does it run?"
	case b.Status.ObservedGeneration < b.Generation:
		return standsUnready, "the operator has not acted on the last change yet."
	case ready.Reason == v1alpha1.ReasonSuspended:
		return standsSuspended, "it is suspended."
	case ready.Status != metav1.ConditionTrue:
		return standsUnready, sentence(ready.Message)
	}
	for _, kind := range []string{v1alpha1.ConditionStorageTrouble, v1alpha1.ConditionRotationOverdue} {
		if c := condition(b, kind); c.Status == metav1.ConditionTrue {
			return standsReady, sentence(c.Message)
		}
	}
	return standsReady, ""
}

// condition is a condition of a bridge, without a status where it is not there.
func condition(b *v1alpha1.FeedbackBridge, kind string) metav1.Condition {
	if c := meta.FindStatusCondition(b.Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{Type: kind}
}

// listVerdict is one line about bridges: how many are ready, and what the first of the others wants. where says where
// they were looked for, such as "in namespace shop"; qualified is whether names need their namespaces.
func listVerdict(list []v1alpha1.FeedbackBridge, where string, qualified bool) string {
	if len(list) == 0 {
		return "There are no bridges " + where + "."
	}
	count := map[standing]int{}
	first := map[standing]string{}
	for i := range list {
		s, why := judge(&list[i])
		count[s]++
		if first[s] == "" && why != "" {
			first[s] = nameOf(&list[i], qualified) + ": " + why
		}
	}
	parts := []string{fmt.Sprintf("%d of %d bridges %s ready", count[standsReady], len(list), are(count[standsReady]))}
	if count[standsReady] == len(list) {
		parts[0] = plural(len(list), "The bridge is ready", "All %d bridges are ready")
	}
	if n := count[standsSuspended]; n > 0 {
		parts[0] += fmt.Sprintf(", %d %s suspended", n, are(n))
	}
	switch {
	case count[standsUnready] > 0:
		parts = append(parts, first[standsUnready])
		if n := count[standsUnready] - 1; n > 0 {
			parts = append(parts, fmt.Sprintf("%d more %s not ready", n, are(n)))
		}
	case first[standsReady] != "":
		parts = append(parts, first[standsReady])
	}
	for i := range parts {
		parts[i] = strings.TrimSuffix(parts[i], ".")
	}
	return sentence(strings.Join(parts, "; "))
}

// bridgeVerdict is one line about one bridge.
func bridgeVerdict(b *v1alpha1.FeedbackBridge) string {
	name := nameOf(b, true)
	switch s, why := judge(b); {
	case s == standsReady && why == "":
		return name + " is ready: " + sentence(condition(b, v1alpha1.ConditionReady).Message)
	case s == standsReady:
		return name + " is ready, but: " + why
	case s == standsSuspended:
		return name + " is suspended: the bot is stopped, and feedback waits at the site until spec.suspend is false."
	default:
		return name + " is not ready: " + why
	}
}

func nameOf(b *v1alpha1.FeedbackBridge, qualified bool) string {
	if qualified {
		return b.Namespace + "/" + b.Name
	}
	return b.Name
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// plural is one for 1, and many with the number otherwise.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}
