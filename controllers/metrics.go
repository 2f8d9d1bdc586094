// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// scrapeTimeout bounds the reads of a scrape, which come from the cache.
const scrapeTimeout = 10 * time.Second

var bridgeLabels = []string{"namespace", "name"}

func bridgeDesc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("feedbackbridge_"+name, help, append(bridgeLabels[:2:2], more...), nil)
}

var (
	descReady       = bridgeDesc("ready", "Whether the bridge is Ready (1) or not (0).")
	descSuspended   = bridgeDesc("suspended", "Whether the bot is stopped by spec.suspend (1) or not (0).")
	descSite        = bridgeDesc("site_connected", "Whether the WebSocket to the site is open (1) or not, or not known (0).")
	descTelegram    = bridgeDesc("telegram_reachable", "Whether Telegram answers and the chat can be posted to (1) or not, or not known (0).")
	descPending     = bridgeDesc("tickets_pending", "Tickets that wait to be posted.")
	descReceived    = bridgeDesc("tickets_received_total", "Tickets that the bot made durable.")
	descPosted      = bridgeDesc("tickets_posted_total", "Tickets that Telegram accepted.")
	descFailed      = bridgeDesc("tickets_failed_total", "Tickets that Telegram refused for good.")
	descRefused     = bridgeDesc("frames_refused_total", "Frames of the site that the bot refused since it started.", "reason")
	descReconnects  = bridgeDesc("site_reconnects_total", "Connections to the site made again since the bot started.")
	descStart       = bridgeDesc("bot_start_timestamp_seconds", "When the bot's process started, in Unix seconds.")
	descHeartbeat   = bridgeDesc("heartbeat_timestamp_seconds", "When the bot last renewed its Lease, in Unix seconds.")
	descTokenExpiry = bridgeDesc("jwt_expiry_timestamp_seconds", "When the token for the site expires, in Unix seconds.")
	descStorage     = bridgeDesc("storage_trouble", "What is wrong with where the bot keeps its state: 1, for that reason; none where all is well.", "reason")
	descOverdue     = bridgeDesc("rotation_overdue", "Whether the site goes on using a key that it should have replaced (1) or not (0).")
	descPhase       = bridgeDesc("rotation_phase", "The phase that the rotation of a key is in: 1 for that phase; kind is hmac or jwt.", "kind", "phase")
	descNext        = bridgeDesc("rotation_next_timestamp_seconds", "When the operator makes the next key by itself, in Unix seconds; kind is hmac or jwt.", "kind")
)

// Collector exports every bridge by name. It reads the cache when it is scraped: a bridge that is gone leaves no series.
type Collector struct {
	// Reader reads bridges and Leases; from the cache.
	Reader client.Reader
	// Now is the clock.
	Now func() time.Time
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReady, descSuspended, descSite, descTelegram, descPending, descReceived, descPosted, descFailed,
		descRefused, descReconnects, descStart, descHeartbeat, descTokenExpiry, descStorage, descOverdue, descPhase, descNext,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var bridges v1alpha1.FeedbackBridgeList
	if err := c.Reader.List(ctx, &bridges, client.UnsafeDisableDeepCopy); err != nil {
		ch <- prometheus.NewInvalidMetric(descReady, err)
		return
	}
	var leases coordinationv1.LeaseList
	if err := c.Reader.List(ctx, &leases, client.UnsafeDisableDeepCopy); err != nil {
		ch <- prometheus.NewInvalidMetric(descHeartbeat, err)
		return
	}
	byName := make(map[types.NamespacedName]*coordinationv1.Lease, len(leases.Items))
	for i := range leases.Items {
		byName[client.ObjectKeyFromObject(&leases.Items[i])] = &leases.Items[i]
	}
	now := c.Now()
	for i := range bridges.Items {
		b := &bridges.Items[i]
		lease := byName[types.NamespacedName{Namespace: b.Namespace, Name: v1alpha1.BotName(b.Name)}]
		collectBridge(ch, b, healthOf(lease, time.Time{}, now))
	}
}

func collectBridge(ch chan<- prometheus.Metric, b *v1alpha1.FeedbackBridge, h health) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, more ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{b.Namespace, b.Name}, more...)...)
	}
	gauge := func(d *prometheus.Desc, v float64) { send(d, prometheus.GaugeValue, v) }
	isTrue := func(kind string) float64 { return one(meta.IsStatusConditionTrue(b.Status.Conditions, kind)) }
	gauge(descReady, isTrue(v1alpha1.ConditionReady))
	gauge(descSuspended, one(suspended(b)))
	gauge(descSite, isTrue(v1alpha1.ConditionSiteConnected))
	gauge(descTelegram, isTrue(v1alpha1.ConditionTelegramReachable))
	gauge(descOverdue, isTrue(v1alpha1.ConditionRotationOverdue))
	if c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionStorageTrouble); c != nil && c.Status == metav1.ConditionTrue {
		send(descStorage, prometheus.GaugeValue, 1, c.Reason)
	}
	if c := b.Status.Credentials; c != nil && c.JWT != nil && c.JWT.ExpiresAt != nil {
		gauge(descTokenExpiry, float64(c.JWT.ExpiresAt.Unix()))
	}
	for kind, r := range rotationsOf(b.Status.Credentials) {
		if r.Phase != "" {
			send(descPhase, prometheus.GaugeValue, 1, kind, string(r.Phase))
		}
		if r.NextRotation != nil {
			send(descNext, prometheus.GaugeValue, float64(r.NextRotation.Unix()), kind)
		}
	}
	if !h.heartbeat.IsZero() {
		gauge(descHeartbeat, float64(h.heartbeat.UnixMilli())/1000)
	}
	if h.report == nil {
		return
	}
	if !h.report.StartedAt.IsZero() {
		gauge(descStart, float64(h.report.StartedAt.Unix()))
	}
	gauge(descPending, float64(h.report.Tickets.Pending))
	for d, n := range map[*prometheus.Desc]int64{
		descReceived: h.report.Tickets.Received, descPosted: h.report.Tickets.Posted,
		descFailed: h.report.Tickets.Failed, descReconnects: h.report.Reconnects,
	} {
		send(d, prometheus.CounterValue, float64(n))
	}
	for reason, n := range h.report.FramesRefused {
		send(descRefused, prometheus.CounterValue, float64(n), reason)
	}
}

// one is how a gauge says yes.
func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// rotationsOf are the rotations that a status tells of, by the kind of their keys.
func rotationsOf(c *v1alpha1.CredentialsStatus) map[string]*v1alpha1.RotationStatus {
	out := map[string]*v1alpha1.RotationStatus{}
	if c != nil && c.HMAC != nil {
		out["hmac"] = &c.HMAC.RotationStatus
	}
	if c != nil && c.JWT != nil && c.JWT.Rotation != nil {
		out["jwt"] = c.JWT.Rotation
	}
	return out
}
