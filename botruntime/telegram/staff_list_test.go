// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func TestTicketNames(t *testing.T) {
	tests := map[string][]string{
		"15":                    {"ticket_site_15", "ticket_tg_15"},
		"№15":                   {"ticket_site_15", "ticket_tg_15"},
		"#15":                   {"ticket_site_15", "ticket_tg_15"},
		"tg_15":                 {"ticket_tg_15"},
		"ticket_site_15":        {"ticket_site_15"},
		"TICKET_TG_1":           {"ticket_tg_1"},
		"15 спам":               {"ticket_site_15", "ticket_tg_15"},
		"tg_15 done at last":    {"ticket_tg_15"},
		"-15":                   nil,
		"spam 15":               nil,
		"":                      nil,
		fmt.Sprintf("%070d", 1): nil,
	}
	for s, want := range tests {
		if got := ticketNames(s); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	}
}

func TestPostAddress(t *testing.T) {
	tests := []struct {
		chat, message int64
		want          string
	}{
		{-1001234567890, 5, "https://t.me/c/1234567890/5"},
		{-1001234567890, 0, ""}, // not posted
		{-100123, 5, ""},        // a small group, whose messages have no address
		{77, 5, ""},
	}
	for _, tc := range tests {
		if got := postAddress(store.TicketRecord{ChatID: tc.chat, MessageID: tc.message}); got != tc.want {
			t.Errorf("message %d of chat %d: %q, want %q", tc.message, tc.chat, got, tc.want)
		}
	}
}

func TestPageButtons(t *testing.T) {
	tests := []struct {
		page, pages int
		want        string
	}{
		{1, 3, "[open_1 open_2]"},
		{2, 3, "[open_1 open_2 open_3]"},
		{3, 3, "[open_2 open_3]"},
	}
	for _, tc := range tests {
		var got []string
		for _, b := range pageButtons(tc.page, tc.pages).InlineKeyboard[0] {
			got = append(got, b.CallbackData)
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("page %d of %d: %v, want %s", tc.page, tc.pages, got, tc.want)
		}
	}
}

func TestDuration(t *testing.T) {
	tests := map[time.Duration]string{
		time.Second:                "1 мин",
		12 * time.Minute:           "12 мин",
		3*time.Hour + time.Minute:  "3 ч 1 мин",
		49*time.Hour + time.Minute: "2 д 1 ч",
	}
	for d, want := range tests {
		if got := duration(ticket.Texts("ru"), d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestAuthorOf(t *testing.T) {
	tests := []struct {
		ticket ticket.Ticket
		want   string
	}{
		{ticket.Ticket{Nickname: "Nick", Username: "user", FirstName: "First", TelegramID: 5}, "Nick"},
		{ticket.Ticket{Username: "user", FirstName: "First", TelegramID: 5}, "@user"},
		{ticket.Ticket{FirstName: "First", TelegramID: 5}, "First"},
		{ticket.Ticket{TelegramID: 5}, "ID5"},
		{ticket.Ticket{}, "—"},
	}
	for _, tc := range tests {
		if got := authorOf(tc.ticket); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.ticket, got, tc.want)
		}
	}
}

func TestStatistics(t *testing.T) {
	stats := store.TicketStats{
		ByStatus: map[ticket.Status]int{ticket.StatusNew: 1, ticket.StatusReplied: 2, ticket.StatusClosed: 4},
		BySource: map[ticket.Source]int{ticket.SourceSite: 5, ticket.SourceTelegram: 2},
		Failed:   1, Open: 3, FirstReaction: 90 * time.Minute,
	}
	want := "Tickets of the last 7 days\nTotal: 7\n• Site: 5\n• Direct message: 2\n\n🆕 New: 1\n👀 Read: 0\n🔧 In progress: 0\n" +
		"📨 Replied: 2\n✅ Closed: 4\n\nTo the first reaction, median: 1 h 30 min\n⚠️ Not posted: 1\n\nOpen now: 3"
	if got := statistics(ticket.Texts("en"), stats, 7).Text; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
