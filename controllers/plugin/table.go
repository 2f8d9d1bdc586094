// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// column is one column of the table of bridges.
type column struct {
	title string
	cell  func(*v1alpha1.FeedbackBridge, time.Time) string
}

var (
	columnNamespace = column{"NAMESPACE", func(b *v1alpha1.FeedbackBridge, _ time.Time) string { return b.Namespace }}
	columns         = []column{
		{"NAME", func(b *v1alpha1.FeedbackBridge, _ time.Time) string { return b.Name }},
		{"READY", func(b *v1alpha1.FeedbackBridge, _ time.Time) string {
			return string(condition(b, v1alpha1.ConditionReady).Status)
		}},
		{"SITE", func(b *v1alpha1.FeedbackBridge, _ time.Time) string { return string(connectionOf(b).State) }},
		{"TELEGRAM", func(b *v1alpha1.FeedbackBridge, _ time.Time) string {
			return condition(b, v1alpha1.ConditionTelegramReachable).Reason
		}},
		{"PENDING", func(b *v1alpha1.FeedbackBridge, _ time.Time) string {
			return ticketCount(b, func(t *v1alpha1.TicketsStatus) int64 { return t.Pending })
		}},
		{"TOKEN EXPIRES", tokenExpires},
		{"ROTATION", func(b *v1alpha1.FeedbackBridge, now time.Time) string { return rotationCell(b, now) }},
		{"AGE", func(b *v1alpha1.FeedbackBridge, now time.Time) string { return ago(now, &b.CreationTimestamp) }},
	}
	wideColumns = []column{
		{"RECEIVED", func(b *v1alpha1.FeedbackBridge, _ time.Time) string {
			return ticketCount(b, func(t *v1alpha1.TicketsStatus) int64 { return t.Received })
		}},
		{"FAILED", func(b *v1alpha1.FeedbackBridge, _ time.Time) string {
			return ticketCount(b, func(t *v1alpha1.TicketsStatus) int64 { return t.Failed })
		}},
		{"BOT", func(b *v1alpha1.FeedbackBridge, _ time.Time) string { return telegramOf(b).BotUsername }},
		{"POD", func(b *v1alpha1.FeedbackBridge, _ time.Time) string { return connectionOf(b).Pod }},
		{"HMAC KEY", func(b *v1alpha1.FeedbackBridge, _ time.Time) string { return hmacOf(b).CurrentKeyID }},
		{"REASON", func(b *v1alpha1.FeedbackBridge, _ time.Time) string {
			return condition(b, v1alpha1.ConditionReady).Reason
		}},
	}
)

// printTable prints a line a bridge.
func printTable(out io.Writer, list []v1alpha1.FeedbackBridge, now time.Time, qualified, wide bool) error {
	shown := columns
	if qualified {
		shown = append([]column{columnNamespace}, shown...)
	}
	if wide {
		shown = append(shown[:len(shown):len(shown)], wideColumns...)
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := make([]string, len(shown))
	for i, c := range shown {
		row[i] = c.title
	}
	fmt.Fprintln(w, strings.Join(row, "\t"))
	for i := range list {
		for j, c := range shown {
			row[j] = cmp.Or(line(c.cell(&list[i], now)), none)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func connectionOf(b *v1alpha1.FeedbackBridge) v1alpha1.ConnectionStatus {
	if b.Status.Connection == nil {
		return v1alpha1.ConnectionStatus{}
	}
	return *b.Status.Connection
}

func telegramOf(b *v1alpha1.FeedbackBridge) v1alpha1.TelegramStatus {
	if b.Status.Telegram == nil {
		return v1alpha1.TelegramStatus{}
	}
	return *b.Status.Telegram
}

// jwtOf and hmacOf are what status says of credentials; empty where it says nothing.
func jwtOf(b *v1alpha1.FeedbackBridge) v1alpha1.JWTStatus {
	if c := b.Status.Credentials; c != nil && c.JWT != nil {
		return *c.JWT
	}
	return v1alpha1.JWTStatus{}
}

func hmacOf(b *v1alpha1.FeedbackBridge) v1alpha1.RotationStatus {
	if c := b.Status.Credentials; c != nil && c.HMAC != nil {
		return c.HMAC.RotationStatus
	}
	return v1alpha1.RotationStatus{}
}

// signingOf is the rotation of the generated signing key.
func signingOf(b *v1alpha1.FeedbackBridge) v1alpha1.RotationStatus {
	if r := jwtOf(b).Rotation; r != nil {
		return *r
	}
	return v1alpha1.RotationStatus{}
}

func ticketCount(b *v1alpha1.FeedbackBridge, count func(*v1alpha1.TicketsStatus) int64) string {
	if b.Status.Tickets == nil {
		return none
	}
	return fmt.Sprint(count(b.Status.Tickets))
}

func tokenExpires(b *v1alpha1.FeedbackBridge, now time.Time) string {
	jwt := jwtOf(b)
	if jwt.ExpiresAt == nil {
		if jwt.IssuedAt != nil || jwt.KeyID != "" {
			return "never"
		}
		return none
	}
	if !jwt.ExpiresAt.After(now) {
		return "expired " + until(now, jwt.ExpiresAt)
	}
	return until(now, jwt.ExpiresAt)
}

// rotationCell is the phase of what rotates, with how long it has been in it: "HMAC Published 12m".
func rotationCell(b *v1alpha1.FeedbackBridge, now time.Time) string {
	var parts []string
	for _, r := range rotationsOf(b) {
		if r.status.Phase != "" && r.status.Phase != v1alpha1.RotationStable {
			parts = append(parts, line(fmt.Sprintf("%s %s %s", r.short, r.status.Phase, ago(now, phaseSince(r.status)))))
		}
	}
	cell := strings.Join(parts, ", ")
	if cell == "" {
		cell = string(hmacOf(b).Phase)
	}
	if condition(b, v1alpha1.ConditionRotationOverdue).Status == metav1.ConditionTrue {
		cell += " (overdue)"
	}
	return cell
}

// phaseSince is when a rotation entered its phase.
func phaseSince(r v1alpha1.RotationStatus) *metav1.Time {
	switch r.Phase {
	case v1alpha1.RotationStaged:
		return r.StagedAt
	case v1alpha1.RotationPublished:
		return r.PublishedAt
	default:
		return r.RotatedAt
	}
}
