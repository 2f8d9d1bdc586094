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
	// ChatID is the chat that it is posted in, or will be; MessageID is its post.
	ChatID    int64 `json:"chatID,omitempty"`
	MessageID int64 `json:"messageID,omitempty"`
	// Failure is why Telegram refused it.
	Failure string `json:"failure,omitempty"`
}

// ListTickets reads tickets.
func (s *Store) ListTickets(ctx context.Context, filter Filter) (list TicketList, err error) {
	err = s.reading(ctx, func(ctx context.Context) (err error) {
		list, err = listTickets(ctx, s.engine.reads(), s.engine.rebind, filter)
		return err
	})
	return list, err
}

// ListTickets reads tickets from the store in a directory. It writes nothing and takes no lock, so it may be used while a
// bot works there.
func ListTickets(ctx context.Context, dir string, filter Filter) (list TicketList, err error) {
	db, err := openBeside(dir, "mode", "ro", "_pragma", "query_only(1)")
	if err != nil {
		return list, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return listTickets(ctx, db, func(query string) string { return query }, filter)
}

// openBeside opens the database in a directory without a lock, beside the bot that may work there.
func openBeside(dir string, options ...string) (*sql.DB, error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no store is there: %w", err)
	}
	query := url.Values{"_pragma": {"busy_timeout(5000)", "cache_size(-512)"}}
	for i := 0; i+1 < len(options); i += 2 {
		query.Add(options[i], options[i+1])
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", fileName, err)
	}
	return db, nil
}

func listTickets(ctx context.Context, db *sql.DB, rebind func(string) string, filter Filter) (list TicketList, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelDefault})
	if err != nil {
		return list, fmt.Errorf("begin to read: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	const from = ` FROM tickets WHERE ? IN ('', state)`
	state := string(filter.State)
	if err := tx.QueryRowContext(ctx, rebind(`SELECT count(*)`+from), state).Scan(&list.Total); err != nil {
		return list, fmt.Errorf("count tickets: %w", err)
	}
	rows, err := tx.QueryContext(ctx, rebind(`SELECT name, feedback_id, state, status, category, received_at, settled_at, chat_id,
		message_id, failure`+from+` ORDER BY id DESC LIMIT ?`), state, filter.Limit)
	list.Tickets, err = collect(rows, err, scanTicketInfo)
	if err != nil {
		return list, fmt.Errorf("list tickets: %w", err)
	}
	if list.Tickets == nil {
		list.Tickets = []TicketInfo{} // in JSON, a list
	}
	return list, nil
}

func scanTicketInfo(row scanner) (t TicketInfo, err error) {
	var received, settled int64
	err = row.Scan(&t.ID, &t.FeedbackID, &t.State, &t.Status, &t.Category, &received, &settled, &t.ChatID, &t.MessageID, &t.Failure)
	t.ReceivedAt, t.SettledAt = fromMillis(received), fromStamp(settled)
	return t, err
}
