// SPDX-License-Identifier: Apache-2.0

package site

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

func TestNewTicket(t *testing.T) {
	readAt := time.Date(2025, 10, 17, 12, 0, 5, 0, time.UTC)
	got := newTicket(wire.Feedback{
		FeedbackID: 123, TelegramID: 999, TelegramUsername: "@user", TelegramFirstName: "Имя", Nickname: "PlayerNick",
		Category: "bug", Message: "Текст", CreatedAt: "2025-10-17T12:00:00", Source: "website",
	}, readAt)
	want := ticket.Ticket{
		Source: ticket.SourceSite, FeedbackID: 123, TelegramID: 999, Username: "user", FirstName: "Имя", Nickname: "PlayerNick",
		Category: "bug", Message: "Текст", CreatedAt: time.Date(2025, 10, 17, 12, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCreatedAt(t *testing.T) {
	readAt := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for written, want := range map[string]time.Time{
		"2025-10-17T12:00:00":              time.Date(2025, 10, 17, 12, 0, 0, 0, time.UTC),
		"2025-10-17T12:00:00.123456":       time.Date(2025, 10, 17, 12, 0, 0, 123456000, time.UTC),
		"2025-10-17T12:00:00Z":             time.Date(2025, 10, 17, 12, 0, 0, 0, time.UTC),
		"2025-10-17T12:00:00.5+03:00":      time.Date(2025, 10, 17, 9, 0, 0, 500000000, time.UTC),
		"2025-10-17T12:00:00+0300":         time.Date(2025, 10, 17, 9, 0, 0, 0, time.UTC),
		"2025-10-17 12:00:00":              time.Date(2025, 10, 17, 12, 0, 0, 0, time.UTC),
		"2025-10-17 12:00:00.123456+00:00": time.Date(2025, 10, 17, 12, 0, 0, 123456000, time.UTC),
		"2025-10-17T12:00":                 time.Date(2025, 10, 17, 12, 0, 0, 0, time.UTC),
		"2025-10-17":                       time.Date(2025, 10, 17, 0, 0, 0, 0, time.UTC),
		"":                                 readAt,
		"yesterday":                        readAt,
		"2025-13-45T99:00:00":              readAt,
		"0001-01-01T00:00:00":              readAt,
		"1760702400":                       readAt,
		"9999-12-31T23:59:59-01:00":        readAt, // no JSON of Go's has a year 10000
		"0000-01-01T00:00:00+01:00":        readAt,
	} {
		if got := newTicket(wire.Feedback{CreatedAt: written}, readAt).CreatedAt; !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v, want %v", written, got, want)
		}
	}
}
