// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The keys of BotReport.FramesRefused that a person has to know of: the rest are single frames' faults.
const (
	refusedSignature = "invalid_signature"
	refusedExpired   = "expired"
)

// fewExpired is how many old frames in a row may be frames that were held up on their way, and no clock's fault.
const fewExpired = 3

func siteVerdict(o *observation) verdict {
	v := peerVerdict(o, func(r *v1alpha1.BotReport) v1alpha1.PeerReport { return r.Site },
		"The connection to the site is open.")
	if v.status != metav1.ConditionTrue || o.health.report.Refusing == nil {
		return v
	}
	return refusingVerdict(o.bridge, o.health.report, v)
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
		return suspendedVerdict
	case h.heartbeat.IsZero() || (h.fresh && h.report == nil):
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatMissing, "The bot has not reported yet: wait, or see WorkloadAvailable."}
	case !h.fresh:
		return verdict{metav1.ConditionUnknown, v1alpha1.ReasonHeartbeatStale, fmt.Sprintf(
			"The bot has not reported since %s: look at its log with \"kubectl -n %s logs %s\", and whether it reaches the API server",
			sinceWhen(h), o.bridge.Namespace, h.pod)}
	}
	p := peer(h.report)
	if p.OK {
		if p.Message != "" {
			fine = p.Message
		}
		return verdict{metav1.ConditionTrue, p.Reason, fine}
	}
	return verdict{metav1.ConditionFalse, p.Reason, advised(o.bridge, p.Reason, p.Message)}
}

func sinceWhen(h health) string { return h.heartbeat.UTC().Format(time.RFC3339) }

// refusingVerdict is about a connection that is open, and of whose frames the bot refuses one after the other. Its messages
// have no counts in them, for each would be a write.
func refusingVerdict(b *v1alpha1.FeedbackBridge, r *v1alpha1.BotReport, fine verdict) verdict {
	f := r.Refusing
	switch {
	case f.Reason == refusedSignature:
		accepts := "no key"
		if len(r.HMACKeyIDs) > 0 {
			accepts = strings.Join(r.HMACKeyIDs, ", ")
		}
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonSiteKeyMismatch, fmt.Sprintf(
			"The site signs with an HMAC key that the bot does not hold: %s. The bot holds the keys with the ids %s.", hmacAdvice(b), accepts)}
	case f.Reason == refusedExpired && (f.ClockOffsetSeconds > 0 || f.Count >= fewExpired):
		way, offset := "behind", -f.ClockOffsetSeconds
		if f.ClockOffsetSeconds > 0 {
			way, offset = "ahead of", f.ClockOffsetSeconds
		}
		return verdict{metav1.ConditionFalse, v1alpha1.ReasonClockSkew, fmt.Sprintf(
			"The times of the site's frames are about %s %s the bot's clock, and %s are allowed: set the clocks of the site and of the "+
				"bot's node (NTP), or raise spec.credentials.hmac.messageTTL", roughly(offset), way, b.Spec.Credentials.HMAC.MessageTTL)}
	}
	return fine
}

// roughly is a number of seconds in steps that do not change with every frame.
func roughly(seconds int64) string {
	d := time.Duration(min(max(seconds, 0), int64(maxOffset/time.Second))) * time.Second
	switch {
	case d >= maxOffset:
		return "more than a month"
	case d >= 2*time.Hour:
		return shortDuration(d.Round(time.Hour))
	case d >= 2*time.Minute:
		return shortDuration(d.Round(time.Minute))
	default:
		return shortDuration(d.Round(5 * time.Second))
	}
}

// maxOffset is an offset beyond which the number says nothing more.
const maxOffset = 30 * 24 * time.Hour
