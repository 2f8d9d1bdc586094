// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// siteGrace is how long a lost connection to the site may be away before Ready says so: sites restart, proxies let go of
// connections that are old, and none of that is worth a roll-back or a call at night.
const siteGrace = 30 * time.Second

// verdict is a condition without its times.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

// absent is the verdict of a condition that is not there.
var absent = verdict{status: metav1.ConditionFalse}

// computeConditions follows the kstatus conventions: Reconciling and Stalled are there only while they are True. Only the
// times of what did not change come from the old conditions, and the grace that a lost connection has.
func computeConditions(o *observation) []metav1.Condition {
	workload, site, telegram := workloadVerdict(o), siteVerdict(o), telegramVerdict(o)
	creds := credentialsVerdict(o)
	storage := storageVerdict(o)
	ready := readyVerdict(o, creds, workload, hindrance(storage), site, telegram)
	stalled := stalledVerdict(o, ready, workload, site, telegram, hindrance(storage))
	out := slices.Clone(o.bridge.Status.Conditions)
	set := func(kind string, v verdict) {
		meta.SetStatusCondition(&out, metav1.Condition{
			Type: kind, Status: v.status, Reason: v.reason, Message: v.message,
			ObservedGeneration: o.bridge.Generation, LastTransitionTime: *apiTime(o.now),
		})
	}
	present := func(kind string, v verdict) {
		if v.status == metav1.ConditionTrue {
			set(kind, v)
		} else {
			meta.RemoveStatusCondition(&out, kind)
		}
	}
	set(v1alpha1.ConditionReady, ready)
	present(v1alpha1.ConditionReconciling, reconcilingVerdict(o, ready, stalled, workload, site, telegram))
	present(v1alpha1.ConditionStalled, stalled)
	set(v1alpha1.ConditionCredentialsReady, creds)
	set(v1alpha1.ConditionWorkloadAvailable, workload)
	set(v1alpha1.ConditionSiteConnected, site)
	set(v1alpha1.ConditionTelegramReachable, telegram)
	present(v1alpha1.ConditionRotationOverdue, overdueVerdict(o))
	present(v1alpha1.ConditionStorageTrouble, storage)
	return out
}

func credentialsVerdict(o *observation) verdict {
	if p := o.creds.problem(); p != nil {
		return verdict{metav1.ConditionFalse, p.reason, p.message}
	}
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonCredentialsReady, "Every referenced Secret is there and well-formed."}
}

// overdueVerdict stands beside the others: a bridge whose site keeps to its old key works.
func overdueVerdict(o *observation) verdict {
	if p := o.creds.overdueProblem(); p != nil {
		return verdict{metav1.ConditionTrue, p.reason, p.message}
	}
	return absent
}

var suspendedVerdict = verdict{metav1.ConditionFalse, v1alpha1.ReasonSuspended, "The bot is stopped: set spec.suspend to false to go on."}

func workloadVerdict(o *observation) verdict {
	switch {
	case suspended(o.bridge):
		return suspendedVerdict
	case o.runs():
		return verdict{metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable, o.whatRuns()}
	case o.deployment == nil && len(o.creds.problems) > 0:
		return unavailable(v1alpha1.ReasonWorkloadUnavailable, "The bot is started once CredentialsReady is True: do what its message says.")
	default:
		return whyNotRunning(o)
	}
}

// readyVerdict is True when everything is; else it repeats what is nearest to the root of the trouble.
func readyVerdict(o *observation, creds, workload, storage, site, telegram verdict) verdict {
	switch {
	case o.invalid != nil:
		return verdict{metav1.ConditionFalse, o.invalid.reason, o.invalid.message}
	case suspended(o.bridge):
		return suspendedVerdict
	case !isPassing(o.applied.err):
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, applyMessage(o.applied.err)}
	}
	message := "Feedback flows from the site to the chat."
	if until := o.readyHeldUntil(); !until.IsZero() {
		message = "The connection to the site was lost, and has until " + until.UTC().Format(time.RFC3339) + " to come back: see SiteConnected."
		site.status = metav1.ConditionTrue
	}
	causes := []verdict{creds, workload, storage, site, telegram}
	if o.isRollingOut() && workload.status == metav1.ConditionTrue {
		causes = []verdict{creds, {metav1.ConditionFalse, v1alpha1.ReasonProgressing, "The bot is being replaced, for the spec changed: wait."}}
	}
	for _, v := range causes {
		if v.status != metav1.ConditionTrue {
			return verdict{metav1.ConditionFalse, v.reason, v.message}
		}
	}
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonReady, message}
}

// readyHeldUntil is until when a bridge that was Ready stays so without its connection to the site, by the operator's
// clock; zero where nothing is held. What only a person can mend is not held back.
func (o *observation) readyHeldUntil() time.Time {
	site, old := siteVerdict(o), o.bridge.Status.Conditions
	if site.status == metav1.ConditionTrue || site.reason == v1alpha1.ReasonCredentialsRefused ||
		suspended(o.bridge) || !meta.IsStatusConditionTrue(old, v1alpha1.ConditionReady) {
		return time.Time{}
	}
	lost := o.now
	if c := meta.FindStatusCondition(old, v1alpha1.ConditionSiteConnected); c != nil && c.Status != metav1.ConditionTrue {
		lost = c.LastTransitionTime.Time
	}
	if until := lost.Add(siteGrace); o.now.Before(until) {
		return until
	}
	return time.Time{}
}

func applyMessage(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if todo := applyAdvice(err); todo != "" {
		text = upperFirst(todo) + ": " + text
	}
	return truncate(text, maxMessageBytes)
}

// The reasons of a peer that say the bot is on its way, and those that only a person can do away with.
var (
	underWay    = []string{v1alpha1.ReasonConnecting, v1alpha1.ReasonChecking, v1alpha1.ReasonHeartbeatMissing}
	needsPerson = []string{
		v1alpha1.ReasonCredentialsRefused, v1alpha1.ReasonSiteKeyMismatch, v1alpha1.ReasonProtocolTooOld,
		v1alpha1.ReasonTokenRefused, v1alpha1.ReasonChatNotFound, v1alpha1.ReasonNoRights, v1alpha1.ReasonChatMigrated,
		v1alpha1.ReasonStorageFull,
	}
)

// stalledVerdict is True while nothing will improve until a person changes something. A site that is down is not that, nor
// a bot that has fallen silent: kstatus calls both in progress, for they may come back by themselves.
func stalledVerdict(o *observation, ready, workload verdict, peers ...verdict) verdict {
	stalled := verdict{metav1.ConditionTrue, ready.reason, ready.message}
	switch {
	case o.invalid != nil:
		return stalled
	case suspended(o.bridge), ready.status == metav1.ConditionTrue:
		return absent
	case isTerminal(o.applied.err), len(o.creds.problems) > 0 && o.applied.err == nil:
		return stalled
	case workload.status != metav1.ConditionTrue && gaveUp(o.deployment):
		return verdict{metav1.ConditionTrue, workload.reason, workload.message}
	case o.isRollingOut():
		return absent
	}
	for _, v := range peers {
		if v.status == metav1.ConditionFalse && slices.Contains(needsPerson, v.reason) {
			return verdict{metav1.ConditionTrue, v.reason, v.message}
		}
	}
	return absent
}

// reconcilingVerdict is True while the operator or the bot is on its way to Ready.
func reconcilingVerdict(o *observation, ready, stalled, workload, site, telegram verdict) verdict {
	if ready.status == metav1.ConditionTrue || stalled.status == metav1.ConditionTrue || suspended(o.bridge) {
		return absent
	}
	busy := o.applied.err != nil || o.isRollingOut() || workload.status != metav1.ConditionTrue ||
		slices.Contains(underWay, site.reason) || slices.Contains(underWay, telegram.reason)
	if !busy {
		return absent
	}
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonProgressing, ready.message}
}
