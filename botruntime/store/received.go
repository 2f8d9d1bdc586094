// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// receivedMemory is how long the id of a frame is remembered that had its effect: longer than a site keeps what was not
// acknowledged.
const receivedMemory = 31 * day

// Incoming is a verified frame of the site's, of version 2, that asks for something else than a ticket.
type Incoming struct {
	// ID and Nonce are the frame's.
	ID, Nonce string
	// ReadAt is when the frame was read; its nonce is kept until NonceUntil.
	ReadAt, NonceUntil time.Time
	// Apply makes the frame's effect. It may run again after it was undone, as the handler of an update may.
	Apply func(tx SiteTx) error
}

// Received is what became of an Incoming.
type Received struct {
	// Verdict is Accepted, Repeated, Replayed, GivenUp or NotYet.
	Verdict Verdict
	// Why is why it was given up.
	Why error
}

// GivenUp means: Apply failed by itself, as it would the next time. The frame is remembered, and has no effect.
const GivenUp = Replayed + 1

// NotYet means: Apply asked for what is not there, but may come (ErrNotYet). The frame is not remembered.
const NotYet = GivenUp + 1

// ErrNotYet is what Apply returns, before it has done anything, for a frame that has to come again later.
var ErrNotYet = errors.New("not there yet")

// SiteTx is the transaction in which a frame of the site's has its effect.
type SiteTx interface {
	Tx
	// Find returns the ticket that the site means, by the ticket's name or else by the site's number, or ErrNotFound.
	Find(name string, feedbackID int64) (TicketRecord, error)
	// TakeStatus records a status that was given at the site; false where the ticket's own is as late, or later. No event
	// tells of it, and it changes no message.
	TakeStatus(c StatusChange) (taken bool, err error)
}

var _ SiteTx = (*unit)(nil)

// Receive makes the effects of frames durable, in their order, and says what became of each. An error leaves everything as
// it was; what Apply says is none.
func (s *Store) Receive(ctx context.Context, frames []Incoming) ([]Received, error) {
	received := make([]Received, len(frames))
	err := s.receive(ctx, frames, received)
	if err == nil || isOutside(ctx, err) {
		return received, err
	}
	for i := range frames { // one of them, for itself
		one := frames[i : i+1]
		err := s.receive(ctx, one, received[i:])
		if err == nil {
			continue
		}
		if isOutside(ctx, err) {
			return received, err
		}
		if err := s.receive(ctx, []Incoming{{ID: one[0].ID, Nonce: one[0].Nonce, ReadAt: one[0].ReadAt,
			NonceUntil: one[0].NonceUntil, Apply: func(SiteTx) error { return nil }}}, received[i:]); err != nil {
			return received, err
		}
		received[i] = Received{GivenUp, err}
	}
	return received, nil
}

// isOutside tells an error that another try may be spared from one that comes again.
func isOutside(ctx context.Context, err error) bool {
	for _, fault := range []error{ErrFull, ErrCorrupt, ErrBroken, ErrUnreachable, ErrClosed} {
		if errors.Is(err, fault) {
			return true
		}
	}
	// PostgreSQL: a transaction in the way of another, an object in use, an operator who intervened.
	var failed *pgconn.PgError
	passing := errors.As(err, &failed) && len(failed.Code) == 5 && slices.Contains([]string{"40", "55", "57"}, failed.Code[:2])
	return passing || ctx.Err() != nil
}

// receive is Receive, in one commit.
func (s *Store) receive(ctx context.Context, frames []Incoming, received []Received) error {
	return s.writer.write(ctx, func(tx *txn) error {
		if err := sweepNonces(tx, frames[0].ReadAt); err != nil {
			return fmt.Errorf("forget nonces: %w", err)
		}
		for i := range frames {
			verdict, err := s.receiveOne(tx, &frames[i])
			if err != nil {
				return fmt.Errorf("take a frame: %w", err)
			}
			received[i] = Received{Verdict: verdict}
		}
		return nil
	})
}

func (s *Store) receiveOne(tx *txn, f *Incoming) (Verdict, error) {
	id := toKey(f.ID)
	known, err := isReceived(tx, id)
	if err != nil || known {
		return Repeated, err
	}
	fresh, err := admitNonce(tx, &Request{Nonce: f.Nonce, NonceUntil: f.NonceUntil}, id)
	if err != nil || !fresh {
		return Replayed, err
	}
	if err := f.Apply(&unit{store: s, tx: tx}); err != nil {
		if errors.Is(err, ErrNotYet) {
			return NotYet, nil
		}
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO received (id, at) VALUES (?, ?)`, id, millis(f.ReadAt))
	return Accepted, err
}

// rememberRequests keeps the ids of the requests of a ticket that is swept sooner than ids are forgotten.
func (s *Store) rememberRequests(tx *txn, a aged) error {
	if a.active < millis(s.opts.Now().Add(-receivedMemory)) {
		return nil
	}
	_, err := tx.exec(`INSERT INTO received (id, at) SELECT id, CAST(? AS BIGINT) FROM requests WHERE ticket = ? ON CONFLICT DO NOTHING`,
		a.active, a.row)
	return err
}

// isReceived tells whether a frame is known that asked for no ticket, or for one that was swept.
func isReceived(tx *txn, id string) (bool, error) {
	return tx.get(`SELECT 1 FROM received WHERE id = ?`, []any{id}, new(int))
}

// Find returns a ticket: SiteTx says more.
func (u *unit) Find(name string, feedbackID int64) (TicketRecord, error) {
	found, err := ticketNamed(u.tx, name)
	if isNotFound(err) && feedbackID > 0 {
		named, getErr := u.tx.get(`SELECT name FROM tickets WHERE feedback_id = ? AND feedback_id > 0`, []any{feedbackID}, &name)
		switch {
		case getErr != nil:
			return TicketRecord{}, fmt.Errorf("look up the ticket of a feedback: %w", getErr)
		case named:
			found, err = ticketNamed(u.tx, name)
		}
	}
	return found.TicketRecord, err
}

// TakeStatus records a status of the site's: SiteTx says more.
func (u *unit) TakeStatus(c StatusChange) (taken bool, err error) {
	was, err := ticketNamed(u.tx, c.TicketID)
	if err != nil || c.At.UnixMicro() <= was.statusMicros {
		return false, err
	}
	if err := u.recordStatus(&was, c, u.store.opts.Now()); err != nil {
		return false, fmt.Errorf("record a status of the site's: %w", err)
	}
	return true, nil
}

// laterOf is a time, to the microsecond, or the one that is given in microseconds where that is later.
func laterOf(t time.Time, micros int64) time.Time {
	return time.UnixMicro(max(t.UnixMicro(), micros)).UTC()
}

// recordStatus records a ticket's status; the ticket is without a row where its post is older than this store. It was
// active when the status came here, which is not always when it was given.
func (u *unit) recordStatus(was *ticketRow, c StatusChange, active time.Time) error {
	at := millis(c.At)
	if was.row != 0 {
		u.store.memory.ahead.forget(was.ChatID)
		if _, err := u.tx.exec(`UPDATE tickets SET status = ?, status_by = ?, status_at = ?, status_us = ?, active_at = ? WHERE id = ?`,
			string(c.Status), text(c.ActorName), at, c.At.UnixMicro(), millis(active), was.row); err != nil {
			return err
		}
		if err := u.store.turnTopic(u.tx, was, c.Status); err != nil {
			return err
		}
	}
	_, err := u.tx.exec(`INSERT INTO statuses (seq, ticket, status, actor_id, actor_name, at) VALUES (?, ?, ?, ?, ?, ?)`,
		u.store.number(), text(c.TicketID), string(c.Status), c.ActorID, text(c.ActorName), at)
	return err
}
