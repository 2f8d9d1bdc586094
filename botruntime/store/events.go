// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Actor is somebody in Telegram, as far as it is known who.
type Actor struct {
	TelegramID int64  `json:"telegram_id,omitempty"`
	Username   string `json:"username,omitempty"`
	Name       string `json:"name,omitempty"`
}

// Attachment is a file of Telegram's, by its FileID there. Size is in bytes, 0 where it is not known.
type Attachment struct {
	Name   string `json:"name,omitempty"`
	MIME   string `json:"mime,omitempty"`
	Size   int64  `json:"size,omitempty"`
	FileID string `json:"file_id"`
}

// eventData is what an event has no column for.
type eventData struct {
	By          Actor        `json:"by,omitzero"`
	Attachments []Attachment `json:"attachments,omitempty"`
	Locale      string       `json:"locale,omitempty"`
	// AtMicros is when it happened, in Unix microseconds.
	AtMicros int64 `json:"at_us,omitempty"`
}

// Emit records an event for the site: Tx says more.
func (u *unit) Emit(e Event) error {
	data, err := json.Marshal(eventData{By: e.By, Attachments: e.Attachments, Locale: e.Locale, AtMicros: e.At.UnixMicro()})
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	u.tx.wake.events = true
	if _, err := u.tx.exec(`INSERT INTO events (seq, id, kind, ticket, feedback_id, actor, status, text, at, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, u.store.number(), uuid.NewString(), string(e.Kind), text(e.Ticket), e.FeedbackID,
		text(e.Actor), string(e.Status), text(e.Text), millis(e.At), text(string(data))); err != nil {
		return fmt.Errorf("record an event: %w", err)
	}
	return nil
}

// DueEvent is an event that the site has not confirmed.
type DueEvent struct {
	Event
	// Written is the ticket that it is about; without an ID where the store has it no more.
	Written ticket.Ticket
}

// offeredFor is how long an event is offered to a site: as long as it remembers what it has had. One that is kept for longer
// is kept for the protocol's next version, or for nobody.
const offeredFor = 30 * day

// selectDueEvents casts its limit: SQLite would prepare it anew for each plain one.
const selectDueEvents = `
	SELECT e.seq, e.id, e.kind, e.ticket, e.feedback_id, e.actor, e.status, e.text, e.at, e.data,
		coalesce(t.name, ''), coalesce(t.source, ''), coalesce(t.telegram_id, 0), coalesce(t.username, ''), coalesce(t.first_name, ''),
		coalesce(t.nickname, ''), coalesce(t.category, ''), coalesce(t.message, ''), coalesce(t.created_at, 0)
	FROM events e LEFT JOIN tickets t ON t.name = e.ticket
	WHERE e.seq > ? AND e.seq <= ? AND e.at >= ? AND e.kind IN (?, ?, ?, ?) ORDER BY e.seq LIMIT CAST(? AS BIGINT)`

// DueEvents returns events of the kinds given that the site has not confirmed, in the order of their Seq, from behind
// after, as long as it may be told of them. It waits until nothing can undo them any more.
func (s *Store) DueEvents(ctx context.Context, after int64, kinds []EventKind, limit int) ([]DueEvent, error) {
	if err := s.writer.syncer.settled(ctx); err != nil {
		return nil, fmt.Errorf("wait for the events that are due: %w", err)
	}
	var wanted [4]string // as many as there are
	for i, kind := range kinds {
		wanted[i] = string(kind)
	}
	since := millis(s.opts.Now().Add(-offeredFor))
	events, err := read(ctx, s, scanEvent, selectDueEvents, after, s.writer.syncer.durable(), since, wanted[0], wanted[1], wanted[2], wanted[3], limit)
	if err != nil {
		return nil, fmt.Errorf("read the events that are due: %w", err)
	}
	return events, nil
}

func scanEvent(row scanner) (e DueEvent, err error) {
	var (
		at, created int64
		raw         string
		data        eventData
	)
	t := &e.Written
	if err := row.Scan(&e.Seq, &e.ID, &e.Kind, &e.Ticket, &e.FeedbackID, &e.Actor, &e.Status, &e.Text, &at, &raw,
		&t.ID, &t.Source, &t.TelegramID, &t.Username, &t.FirstName, &t.Nickname, &t.Category, &t.Message, &created); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(raw), &data); err != nil {
		return e, fmt.Errorf("decode event %d: %w", e.Seq, err)
	}
	t.CreatedAt = fromMillis(created)
	e.By, e.Attachments, e.Locale = data.By, data.Attachments, data.Locale
	if e.At = fromMillis(at); data.AtMicros != 0 {
		e.At = time.UnixMicro(data.AtMicros).UTC()
	}
	return e, nil
}

// ConfirmEvents ends the wait of events: they are at the site.
func (s *Store) ConfirmEvents(ctx context.Context, seqs []int64) error {
	return s.writer.write(ctx, func(tx *txn) error {
		for _, seq := range seqs {
			if _, err := tx.exec(`DELETE FROM events WHERE seq = ?`, seq); err != nil {
				return fmt.Errorf("confirm events: %w", err)
			}
		}
		return nil
	})
}

// ConfirmEachResult ends the wait of single results: they are at the site. ConfirmResults ends that of all up to one.
func (s *Store) ConfirmEachResult(ctx context.Context, seqs []int64) error {
	return s.writer.write(ctx, func(tx *txn) error {
		for _, seq := range seqs {
			if err := confirmResult(tx, seq); err != nil {
				return fmt.Errorf("confirm results: %w", err)
			}
		}
		tx.afterCommit(func() { s.recent.remove(seqs) })
		return nil
	})
}

// confirmResult ends the wait of a result. Where its request was asked again, those of before count no more.
func confirmResult(tx *txn, seq int64) error {
	var row int64
	var request string
	again, err := tx.get(`SELECT r.ticket, r.request FROM results r JOIN requests q ON q.ticket = r.ticket AND q.id = r.request
		WHERE r.seq = ? AND q.again = r.seq`, []any{seq}, &row, &request)
	if err == nil && again {
		_, err = tx.exec(`DELETE FROM results WHERE ticket = ? AND request = ? AND seq < ?`, row, request, seq)
	}
	if err == nil {
		_, err = tx.exec(`DELETE FROM results WHERE seq = ?`, seq)
	}
	return err
}
