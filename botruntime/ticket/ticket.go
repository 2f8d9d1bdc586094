// SPDX-License-Identifier: Apache-2.0

// Package ticket is the domain: tickets, their statuses, and the texts by which people see them. It does no I/O.
package ticket

import (
	"strconv"
	"strings"
	"time"
)

// Source says where a ticket's feedback was written.
type Source string

// The sources of feedback.
const (
	SourceSite     Source = "site"
	SourceTelegram Source = "tg"
)

// Ticket is one piece of feedback. Texts are as the user wrote them: never HTML.
type Ticket struct {
	// ID is the ticket's name, such as ticket_site_123.
	ID string `json:"-"`
	// Source says where the feedback was written.
	Source Source `json:"source"`
	// FeedbackID is the site's own number, 0 where it has none.
	FeedbackID int64 `json:"feedback_id,omitempty"`
	// TelegramID, Username (without @) and FirstName are the author's, where known.
	TelegramID int64  `json:"telegram_id,omitempty"`
	Username   string `json:"telegram_username,omitempty"`
	FirstName  string `json:"telegram_first_name,omitempty"`
	// Nickname is the author's name on the site or in its game.
	Nickname string `json:"nickname,omitempty"`
	// Category is bug, wish, question, other, or a word of the site's own.
	Category string `json:"category"`
	Message  string `json:"message"`
	// Attachments is how many files came with it; they follow its post.
	Attachments int `json:"attachments,omitempty"`
	// CreatedAt is when the feedback was written, where the site said so.
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// ID names a ticket by its source and number.
func ID(source Source, number int64) string {
	return "ticket_" + string(source) + "_" + strconv.FormatInt(number, 10)
}

// Status is what the staff has made of a ticket.
type Status string

// The statuses that staff can give to a ticket, in the order of their buttons.
const (
	StatusNew        Status = "new"
	StatusRead       Status = "read"
	StatusInProgress Status = "in_progress"
	StatusReplied    Status = "replied"
	StatusClosed     Status = "closed"
)

// Statuses are the statuses that have a button, in the order of the buttons.
var Statuses = []Status{StatusRead, StatusInProgress, StatusReplied, StatusClosed}

// CallbackPrefix begins what the buttons for statuses carry.
const CallbackPrefix = "status_"

// CallbackData is what the button for a status carries: status_<ticket>_<status>.
func CallbackData(ticketID string, status Status) string {
	return CallbackPrefix + ticketID + "_" + string(status)
}

// ParseCallbackData reads what CallbackData wrote; ok is false for anything else.
func ParseCallbackData(data string) (ticketID string, status Status, ok bool) {
	rest, found := strings.CutPrefix(data, CallbackPrefix)
	if !found {
		return "", "", false
	}
	for _, status := range Statuses {
		if id, found := strings.CutSuffix(rest, "_"+string(status)); found && id != "" {
			return id, status, true
		}
	}
	return "", "", false
}
