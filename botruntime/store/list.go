// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// State is how far a ticket has come on its way to the chat.
type State string

// The states of a ticket.
const (
	StatePending State = "pending"
	StatePosted  State = "posted"
	StateFailed  State = "failed"
)

// Filter says which tickets to list.
type Filter struct {
	// State is the state to list; empty for all.
	State State
	// Limit is how many to list at most.
	Limit int
}

// TicketList is a part of the store's tickets, the newest first.
type TicketList struct {
	Tickets []TicketInfo `json:"tickets"`
	// Total is how many tickets the filter lets pass, listed or not.
	Total int64 `json:"total"`
}

// TicketInfo is what can be told of a ticket to those who run the bot: nothing that its author wrote, and not who it is.
type TicketInfo struct {
	ID string `json:"id"`
	// FeedbackID is the site's own number; 0 where it has none.
	FeedbackID int64 `json:"feedbackID,omitempty"`
	// State is the way to the chat, Status what the staff has made of it.
	State      State         `json:"state"`
	Status     ticket.Status `json:"status"`
	Category   string        `json:"category"`
	ReceivedAt time.Time     `json:"receivedAt"`
	// SettledAt is when Telegram took or refused it; zero while it is pending.
	SettledAt time.Time `json:"settledAt,omitzero"`
	// ChatID and MessageID are those of the post.
	ChatID    int64 `json:"chatID,omitempty"`
	MessageID int64 `json:"messageID,omitempty"`
	// Failure is why Telegram refused it.
	Failure string `json:"failure,omitempty"`
}

// ListTickets reads tickets from the store in a directory. It writes nothing and takes no lock, so it may be used while a
// bot works there.
func ListTickets(ctx context.Context, dir string, filter Filter) (list TicketList, err error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil {
		return list, fmt.Errorf("no store is there: %w", err)
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path,
		RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", "busy_timeout(5000)", "cache_size(-512)"}}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return list, fmt.Errorf("open %s: %w", fileName, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return list, fmt.Errorf("begin to read %s: %w", fileName, err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	const from = ` FROM tickets WHERE ? IN ('', state)`
	if err := tx.QueryRowContext(ctx, `SELECT count(*)`+from, filter.State).Scan(&list.Total); err != nil {
		return list, fmt.Errorf("count tickets: %w", err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT name, coalesce(feedback_id, 0), state, status,
		coalesce(data ->> 'category', ''), received_at, coalesce(settled_at, 0), coalesce(chat_id, 0),
		coalesce(message_id, 0), failure`+from+` ORDER BY id DESC LIMIT ?`, filter.State, filter.Limit)
	if err != nil {
		return list, fmt.Errorf("list tickets: %w", err)
	}
	list.Tickets, err = scanTickets(rows)
	return list, err
}

func scanTickets(rows *sql.Rows) (tickets []TicketInfo, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	tickets = []TicketInfo{}
	for rows.Next() {
		var t TicketInfo
		var received, settled int64
		if err := rows.Scan(&t.ID, &t.FeedbackID, &t.State, &t.Status, &t.Category, &received, &settled, &t.ChatID,
			&t.MessageID, &t.Failure); err != nil {
			return nil, fmt.Errorf("read a ticket: %w", err)
		}
		t.ReceivedAt = fromMillis(received)
		if settled != 0 {
			t.SettledAt = fromMillis(settled)
		}
		tickets = append(tickets, t)
	}
	return tickets, rows.Err()
}
