// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// verdict is a condition without its times.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

// computeConditions follows the kstatus conventions: Reconciling and Stalled are there only while they are True.
func computeConditions(o *observation, old []metav1.Condition) []metav1.Condition {
	workload, site, telegram := workloadVerdict(o), siteVerdict(o), telegramVerdict(o)
	creds := credentialsVerdict(o)
	ready := readyVerdict(o, creds, workload, site, telegram)
	out := slices.Clone(old)
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
	present(v1alpha1.ConditionReconciling, reconcilingVerdict(o, ready, workload, site, telegram))
	present(v1alpha1.ConditionStalled, stalledVerdict(o, ready, workload, site, telegram))
	set(v1alpha1.ConditionCredentialsReady, creds)
	set(v1alpha1.ConditionWorkloadAvailable, workload)
	set(v1alpha1.ConditionSiteConnected, site)
	set(v1alpha1.ConditionTelegramReachable, telegram)
	return out
}

func credentialsVerdict(o *observation) verdict {
	if p := o.creds.problem(); p != nil {
		return verdict{metav1.ConditionFalse, p.reason, p.message}
	}
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonCredentialsReady, "Every referenced Secret is there and well-formed."}
}

func workloadVerdict(o *observation) verdict {
	switch {
	case suspended(o.bridge):
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonSuspended, "The bot is stopped: spec.suspend is true."}
	case o.runs():
		return verdict{metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable, "The bot's pod runs."}
	case o.deployment == nil && len(o.creds.problems) > 0:
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonWorkloadUnavailable, "The bot is started once its credentials are ready."}
	default:
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonWorkloadUnavailable, whyNotRunning(o.deployment, o.pods)}
	}
}

func siteVerdict(o *observation) verdict {
	return peerVerdict(o, func(r *v1alpha1.BotReport) v1alpha1.PeerReport { return r.Site },
		"The connection to the site is open.")
}

func telegramVerdict(o *observation) verdict {
	return peerVerdict(o, func(r *v1alpha1.BotReport) v1alpha1.PeerReport { return r.Telegram },
		"Telegram answers and the chat can be posted to.")
}

// peerVerdict is what the bot says of a peer, or Unknown while it says nothing.
func peerVerdict(o *observation, peer func(*v1alpha1.BotReport) v1alpha1.PeerReport, fine string) verdict {
	h := o.health
	switch {
	case suspended(o.bridge):
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonSuspended, "The bot is stopped: spec.suspend is true."}
	case h.heartbeat.IsZero() || (h.fresh && h.report == nil):
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatMissing, "The bot has not reported yet."}
	case !h.fresh:
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale,
			"The bot has not reported since " + h.heartbeat.UTC().Format("2006-01-02T15:04:05Z") + "."}
	}
	p := peer(h.report)
	if p.OK {
		if p.Message != "" {
			fine = p.Message
		}
		return verdict{metav1.ConditionTrue, p.Reason, fine}
	}
	return verdict{metav1.ConditionFalse, p.Reason, p.Message}
}

// readyVerdict is True when everything is; else it repeats what is nearest to the root of the trouble.
func readyVerdict(o *observation, creds, workload, site, telegram verdict) verdict {
	switch {
	case o.invalid != nil:
		return verdict{metav1.ConditionFalse, o.invalid.reason, o.invalid.message}
	case suspended(o.bridge):
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonSuspended, workload.message}
	case !isPassing(o.applied.err):
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, applyMessage(o.applied.err)}
	}
	causes := []verdict{creds, workload, site, telegram}
	if o.isRollingOut() && workload.status == metav1.ConditionTrue {
		causes = []verdict{creds, {metav1.ConditionFalse, v1alpha1.ReasonProgressing, "The bot is being replaced, for the spec changed."}}
	}
	for _, v := range causes {
		if v.status != metav1.ConditionTrue {
			return verdict{metav1.ConditionFalse, v.reason, v.message}
		}
	}
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonReady, "Feedback flows from the site to the chat."}
}

func applyMessage(err error) string {
	return truncate(strings.ReplaceAll(err.Error(), "\n", "; "), maxMessageBytes)
}

// The reasons of a peer that say the bot is on its way, and those that only a person can do away with.
var (
	underWay    = []string{v1alpha1.ReasonConnecting, v1alpha1.ReasonChecking, v1alpha1.ReasonHeartbeatMissing}
	needsPerson = []string{v1alpha1.ReasonCredentialsRefused, v1alpha1.ReasonTokenRefused, v1alpha1.ReasonChatNotFound, v1alpha1.ReasonNoRights}
)

// stalledVerdict is True while nothing will improve until a person changes something. A site that is down is not that.
func stalledVerdict(o *observation, ready, workload, site, telegram verdict) verdict {
	stalled := verdict{metav1.ConditionTrue, ready.reason, ready.message}
	switch {
	case o.invalid != nil:
		return stalled
	case suspended(o.bridge):
		return verdict{status: metav1.ConditionFalse}
	case isTerminal(o.applied.err), len(o.creds.problems) > 0 && o.applied.err == nil:
		return stalled
	case workload.status != metav1.ConditionTrue && gaveUp(o.deployment):
		return verdict{metav1.ConditionTrue, workload.reason, workload.message}
	case o.isRollingOut():
		return verdict{status: metav1.ConditionFalse}
	}
	for _, v := range []verdict{site, telegram} {
		if v.status == metav1.ConditionFalse && slices.Contains(needsPerson, v.reason) {
			return verdict{metav1.ConditionTrue, v.reason, v.message}
		}
	}
	return verdict{status: metav1.ConditionFalse}
}

// reconcilingVerdict is True while the operator or the bot is on its way to Ready.
func reconcilingVerdict(o *observation, ready, workload, site, telegram verdict) verdict {
	no := verdict{status: metav1.ConditionFalse}
	if ready.status == metav1.ConditionTrue || suspended(o.bridge) ||
		stalledVerdict(o, ready, workload, site, telegram).status == metav1.ConditionTrue {
		return no
	}
	busy := o.applied.err != nil || o.isRollingOut() || workload.status != metav1.ConditionTrue ||
		slices.Contains(underWay, site.reason) || slices.Contains(underWay, telegram.reason)
	if !busy {
		return no
	}
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonProgressing, ready.message}
}
