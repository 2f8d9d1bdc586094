// SPDX-License-Identifier: Apache-2.0

package site

import (
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// newTicket is a feedback of the site's as a ticket. One that does not say when it was written, or not in a way that can
// be read, was written when it came.
func newTicket(f wire.Feedback, readAt time.Time) ticket.Ticket {
	createdAt, ok := parseTime(f.CreatedAt)
	if !ok {
		createdAt = readAt.UTC()
	}
	return ticket.Ticket{
		Source:     ticket.SourceSite,
		FeedbackID: f.FeedbackID,
		TelegramID: f.TelegramID,
		Username:   strings.TrimLeft(f.TelegramUsername, "@"),
		FirstName:  f.TelegramFirstName,
		Nickname:   f.Nickname,
		Category:   f.Category,
		Message:    f.Message,
		CreatedAt:  createdAt,
	}
}

// timeLayouts are what Python's isoformat() and its like print; seconds may have a fraction in each of them.
var timeLayouts = []string{
	"2006-01-02T15:04:05",
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	time.DateOnly,
}

// parseTime reads an ISO 8601 time, as UTC; one without a zone is UTC. A zone can push a time out of the years that can
// be stored.
func parseTime(s string) (t time.Time, ok bool) {
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, s)
		if t = t.UTC(); err == nil && !t.IsZero() && t.Year() >= 0 && t.Year() <= 9999 {
			return t, true
		}
	}
	return time.Time{}, false
}
