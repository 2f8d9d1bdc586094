// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// defaultLeaseDuration is assumed where the bot's Lease does not say.
	defaultLeaseDuration = 30 * time.Second
	// maxReportBytes bounds the report: the annotation is the bot's to write, and the bot talks to strangers.
	maxReportBytes = 64 << 10
	// maxMessageBytes bounds what of a report's texts reaches the status.
	maxMessageBytes = 1024
	// maxNameBytes bounds names and ids.
	maxNameBytes = 256
	// maxRefusalReasons bounds the series that one bridge can make.
	maxRefusalReasons = 32
	// maxKeys bounds the keys that a report names: a bot holds three.
	maxKeys = 8
)

// health is what a bot's Lease says.
type health struct {
	// report is the bot's report; nil where there is none that can be read.
	report *v1alpha1.BotReport
	// pod is the active bot.
	pod string
	// heartbeat is when the bot last renewed its Lease, by its own clock; zero where it never did.
	heartbeat time.Time
	// staleAt is when the heartbeat becomes stale, or became so; zero where none was heard.
	staleAt time.Time
	// fresh is whether a bot holds the Lease and its heartbeat is not stale.
	fresh bool
}

// healthOf reads a Lease whose heartbeat was heard at a time of the operator's clock, or never (the zero time). A
// heartbeat is stale one and a half lease durations after it was heard: with the bot's 30 s, a bot that died shows
// within a minute. The bot's clock may be wrong, and counts for nothing.
func healthOf(lease *coordinationv1.Lease, heard, now time.Time) health {
	if lease == nil {
		return health{}
	}
	h := health{report: parseReport(lease.Annotations[v1alpha1.AnnotationReport])}
	if lease.Spec.HolderIdentity != nil {
		h.pod = truncate(*lease.Spec.HolderIdentity, maxNameBytes)
	}
	if lease.Spec.RenewTime == nil || h.pod == "" {
		return h
	}
	h.heartbeat = lease.Spec.RenewTime.Time
	if !heard.IsZero() {
		h.staleAt = staleAt(lease, heard)
		h.fresh = now.Before(h.staleAt)
	}
	return h
}

// staleAt is when a heartbeat that was heard becomes stale.
func staleAt(lease *coordinationv1.Lease, heard time.Time) time.Time {
	duration := defaultLeaseDuration
	if s := lease.Spec.LeaseDurationSeconds; s != nil && *s > 0 && *s <= 600 {
		duration = time.Duration(*s) * time.Second
	}
	return heard.Add(duration * 3 / 2)
}

// parseReport reads a report, and makes it fit for the status and for metrics. It is nil where it cannot be read.
func parseReport(text string) *v1alpha1.BotReport {
	if text == "" || len(text) > maxReportBytes {
		return nil
	}
	var r v1alpha1.BotReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil
	}
	for _, s := range []*string{&r.Version, &r.SiteKeyID, &r.BotUsername, &r.ChatTitle, &r.EffectiveChatID} {
		*s = truncate(*s, maxNameBytes)
	}
	r.Site, r.Telegram = fitPeer(r.Site), fitPeer(r.Telegram)
	if r.Storage != nil {
		r.Storage.Reason, r.Storage.Message = fitReason(r.Storage.Reason), truncate(r.Storage.Message, maxMessageBytes)
	}
	if t := r.Tickets.LastPostedTime; t != nil {
		r.Tickets.LastPostedTime = apiTime(t.Time)
	}
	fitRefusals(r.FramesRefused)
	fitKeys(&r)
	return &r
}

// fitKeys bounds what the report says of keys, and of the frames that are being refused.
func fitKeys(r *v1alpha1.BotReport) {
	r.JWTKeyID = truncate(r.JWTKeyID, maxNameBytes)
	r.HMACKeyIDs = r.HMACKeyIDs[:min(len(r.HMACKeyIDs), maxKeys)]
	for i := range r.HMACKeyIDs {
		r.HMACKeyIDs[i] = truncate(r.HMACKeyIDs[i], maxNameBytes)
	}
	r.HMACKeysUsed = r.HMACKeysUsed[:min(len(r.HMACKeysUsed), maxKeys)]
	for i := range r.HMACKeysUsed {
		r.HMACKeysUsed[i].ID = truncate(r.HMACKeysUsed[i].ID, maxNameBytes)
	}
	if r.Refusing != nil && !refusalPattern.MatchString(r.Refusing.Reason) {
		r.Refusing = nil
	}
}

func fitPeer(p v1alpha1.PeerReport) v1alpha1.PeerReport {
	p.Reason = fitReason(p.Reason)
	p.Message, p.LastError = truncate(p.Message, maxMessageBytes), truncate(p.LastError, maxMessageBytes)
	if since := apiTime(p.Since.Time); since != nil {
		p.Since = *since
	} else {
		p.Since = metav1.Time{}
	}
	return p
}

var reasonPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// fitReason is a reason that the API server accepts in a condition.
func fitReason(reason string) string {
	if reasonPattern.MatchString(reason) {
		return reason
	}
	return "Unspecified"
}

var refusalPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// fitRefusals drops reasons that are no short words, and any beyond a fixed number.
func fitRefusals(m map[string]int64) {
	kept := 0
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		if kept == maxRefusalReasons || !refusalPattern.MatchString(reason) {
			delete(m, reason)
			continue
		}
		kept++
	}
}

// truncate cuts a text to at most n bytes, between runes, and repairs what is no UTF-8.
func truncate(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const ellipsis = "…"
	n -= len(ellipsis)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}

// isNews is whether a Lease's change is more than a heartbeat: another report, another bot, the first heartbeat, or
// a change of what the operator owns in it.
func isNews(before, after *coordinationv1.Lease) bool {
	b, a := before.DeepCopy(), after.DeepCopy()
	for _, l := range []*coordinationv1.Lease{b, a} {
		l.Spec.RenewTime, l.ResourceVersion, l.ManagedFields = nil, "", nil
	}
	return !equality.Semantic.DeepEqual(b, a) || (before.Spec.RenewTime == nil) != (after.Spec.RenewTime == nil)
}
