// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// ticketRow is a ticket with what only the store needs of it.
type ticketRow struct {
	TicketRecord
	row   int64
	topic string
}

const ticketColumns = `t.id, t.name, t.source, t.feedback_id, t.telegram_id, t.username, t.first_name, t.nickname, t.category,
	t.message, t.attachments, t.created_at, t.received_at, t.state, t.status, t.status_by, t.status_at, t.chat_id, t.thread_id, t.topic,
	t.message_id, t.settled_at, t.failure`

// scanTicket reads ticketColumns, from behind the columns that are read into before.
func scanTicket(row scanner, before ...any) (r ticketRow, err error) {
	var created, received, statusAt, settled int64
	t := &r.Ticket
	if err := row.Scan(append(before, &r.row, &t.ID, &t.Source, &t.FeedbackID, &t.TelegramID, &t.Username, &t.FirstName, &t.Nickname,
		&t.Category, &t.Message, &t.Attachments, &created, &received, &r.State, &r.Status, &r.StatusBy, &statusAt, &r.ChatID, &r.ThreadID,
		&r.topic, &r.MessageID, &settled, &r.Failure)...); err != nil {
		return r, err
	}
	t.CreatedAt, r.ReceivedAt, r.StatusAt, r.SettledAt = fromMillis(created), fromMillis(received), fromStamp(statusAt), fromStamp(settled)
	return r, nil
}

// ticketNamed returns a ticket by its name, or ErrNotFound.
func ticketNamed(tx *txn, name string) (ticketRow, error) {
	rows, err := tx.rows(`SELECT `+ticketColumns+` FROM tickets t WHERE t.name = ?`, text(name))
	found, err := collect(rows, err, func(row scanner) (ticketRow, error) { return scanTicket(row) })
	switch {
	case err != nil:
		return ticketRow{}, fmt.Errorf("read a ticket: %w", err)
	case len(found) == 0:
		return ticketRow{}, ErrNotFound
	}
	return found[0], nil
}

// Ticket returns a ticket by its name: Tx says more.
func (u *unit) Ticket(name string) (TicketRecord, error) {
	r, err := ticketNamed(u.tx, name)
	return r.TicketRecord, err
}

// where is the condition of a query, with its arguments. There are so few of them that all are prepared.
func (q TicketQuery) where() (condition string, args []any) {
	conditions := []string{"1 = 1"}
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if q.Open {
		add("t.status <> 'closed'")
	}
	if q.State != "" {
		add("t.state = ?", string(q.State))
	}
	if q.AuthorID != 0 {
		add("t.telegram_id = ? AND t.telegram_id <> 0", q.AuthorID)
	}
	if q.OnlyDirect {
		add("t.source = ?", string(ticket.SourceTelegram))
	}
	if q.ChatID != 0 {
		add("t.chat_id = ?", q.ChatID)
	}
	return strings.Join(conditions, " AND "), args
}

// Tickets lists tickets: Tx says more.
func (u *unit) Tickets(q TicketQuery) (page []TicketRecord, total int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("list tickets: %w", err)
		}
	}()
	where, args := q.where()
	if _, err := u.tx.get(`SELECT count(*) FROM tickets t WHERE `+where, args, &total); err != nil {
		return nil, 0, err
	}
	rows, err := u.tx.rows(`SELECT `+ticketColumns+` FROM tickets t WHERE `+where+` ORDER BY t.id DESC LIMIT ? OFFSET ?`,
		append(args, max(q.Limit, 0), max(q.Offset, 0))...)
	page, err = collect(rows, err, func(row scanner) (TicketRecord, error) {
		r, err := scanTicket(row)
		return r.TicketRecord, err
	})
	return page, total, err
}

// AddTicket adds a ticket: Tx says more.
func (u *unit) AddTicket(t ticket.Ticket, at time.Time) (name string, err error) {
	if _, name, err = u.store.addTicket(u.tx, &t, "", at); err != nil {
		return "", fmt.Errorf("add a ticket: %w", err)
	}
	return name, nil
}

// SetStatus records a status: Tx says more.
func (u *unit) SetStatus(c StatusChange) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("record a status: %w", err)
		}
	}()
	at := millis(c.At)
	was, err := ticketNamed(u.tx, c.TicketID)
	switch {
	case err == nil:
		u.store.memory.ahead.forget(was.ChatID)
		if _, err := u.tx.exec(`UPDATE tickets SET status = ?, status_by = ?, status_at = ?, active_at = ? WHERE id = ?`,
			string(c.Status), text(c.ActorName), at, at, was.row); err != nil {
			return err
		}
		if err := u.store.turnTopic(u.tx, &was, c.Status); err != nil {
			return err
		}
	case !isNotFound(err): // a post may be older than this store
		return err
	}
	if _, err := u.tx.exec(`INSERT INTO statuses (seq, ticket, status, actor_id, actor_name, at) VALUES (?, ?, ?, ?, ?, ?)`,
		u.store.number(), text(c.TicketID), string(c.Status), c.ActorID, text(c.ActorName), at); err != nil {
		return err
	}
	return u.Emit(Event{Kind: EventStatus, Ticket: c.TicketID, FeedbackID: was.FeedbackID, Actor: c.ActorName, Status: c.Status, At: c.At})
}

// ownTopic begins the key of a ticket's own topic.
const ownTopic = "ticket:"

// turnTopic has a ticket's own topic closed with the ticket, and opened again.
func (s *Store) turnTopic(tx *txn, t *ticketRow, now ticket.Status) error {
	if t.topic != ownTopic+t.ID || (t.Status == ticket.StatusClosed) == (now == ticket.StatusClosed) {
		return nil
	}
	if _, err := tx.exec(`DELETE FROM outbox WHERE kind = 'topic' AND ticket = ?`, t.row); err != nil {
		return err
	}
	return s.enqueue(tx, &queued{kind: JobTopic, ticket: t.row, place: place{chatID: t.ChatID, topic: t.topic}})
}

// Retry puts a failed post back into the outbox: Tx says more.
func (u *unit) Retry(name string) (bool, error) { return u.store.retry(u.tx, name) }

// RetryTicket puts the post of a failed ticket back into the outbox; false where it has not failed.
func (s *Store) RetryTicket(ctx context.Context, name string) (again bool, err error) {
	err = s.writer.write(ctx, func(tx *txn) (err error) {
		again, err = s.retry(tx, name)
		return err
	})
	return again, err
}

// RetryAll puts the posts of all failed tickets back into the outbox, and returns how many there were.
func (s *Store) RetryAll(ctx context.Context) (n int, err error) {
	for after, more := int64(0), true; more; {
		var found []ticketRow
		err := s.writer.write(ctx, func(tx *txn) error {
			// From behind the last one: what fails again meanwhile has had its turn.
			rows, err := tx.rows(`SELECT `+ticketColumns+` FROM tickets t WHERE t.state = 'failed' AND t.id > ? ORDER BY t.id LIMIT ?`, after, sweepTickets)
			if found, err = collect(rows, err, func(row scanner) (ticketRow, error) { return scanTicket(row) }); err != nil {
				return fmt.Errorf("list the tickets that failed: %w", err)
			}
			for i := range found {
				if err := s.postAgain(tx, &found[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += len(found)
		if more = len(found) == sweepTickets; more {
			after = found[len(found)-1].row
		}
	}
	return n, nil
}

func (s *Store) retry(tx *txn, name string) (bool, error) {
	t, err := ticketNamed(tx, name)
	if isNotFound(err) || err == nil && t.State != StateFailed {
		return false, nil
	}
	if err == nil {
		err = s.postAgain(tx, &t)
	}
	return err == nil, err
}

// postAgain puts the post of a failed ticket back into the outbox.
func (s *Store) postAgain(tx *txn, t *ticketRow) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("put a ticket back into the outbox: %w", err)
		}
	}()
	now := s.place(t.Ticket)
	if _, err := tx.exec(`UPDATE tickets SET state = 'pending', failure = '', settled_at = 0, chat_id = ?, thread_id = ?, topic = ?
		WHERE id = ?`, now.chatID, now.threadID, now.topic, t.row); err != nil {
		return err
	}
	// Whoever asked hears how it ended this time.
	if _, err := tx.exec(`DELETE FROM results WHERE ticket = ?`, t.row); err != nil {
		return err
	}
	last := s.number()
	tx.afterCommit(func() { s.recent.reset(last) })
	if err := s.enqueue(tx, &queued{kind: JobPost, ticket: t.row, place: now}); err != nil {
		return err
	}
	tx.afterCommit(func() { s.count(func(c *Counts) { c.Failed--; c.Pending++ }) })
	return nil
}
