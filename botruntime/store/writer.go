// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxBatch bounds how many writes share a commit.
	maxBatch = 128
	// connectTimeout bounds one try to open the write connection again; between two tries there is a pause, which doubles
	// from the shortest to the longest.
	connectTimeout  = 5 * time.Second
	shortestRetry   = 200 * time.Millisecond
	longestRetry    = 10 * time.Second
	closeTimeout    = 5 * time.Second
	rollbackTimeout = 5 * time.Second
)

// writer makes all changes, on one connection. Changes that arrive while a commit is under way share the next one: a
// commit waits for the disk, and the disk takes as long for one change as for a hundred.
type writer struct {
	engine engine
	// connected reads what the store keeps in memory, whenever a connection was opened.
	connected func(ctx context.Context, tx *txn) error
	trouble   *trouble

	ops     chan op
	closing chan struct{}
	closed  chan error

	tx    *txn // nil while there is no connection
	pause time.Duration
	next  time.Time // of the next try to connect
	why   error     // why there is no connection
}

// op is a change that somebody waits for; a nil change asks whether the writer comes round.
type op struct {
	change func(*txn) error
	done   chan error
}

// newWriter opens the write connection and works until close.
func newWriter(ctx context.Context, e engine, connected func(context.Context, *txn) error, t *trouble) (*writer, error) {
	w := &writer{engine: e, connected: connected, trouble: t, ops: make(chan op, maxBatch), closing: make(chan struct{}), closed: make(chan error, 1)}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	go func() { w.closed <- w.run() }()
	return w, nil
}

// write runs a change and returns once it is durable, or was undone. A change may run again after it was undone along
// with others, so it must set its results rather than add to them. Its error undoes it.
func (w *writer) write(ctx context.Context, change func(*txn) error) error {
	o := op{change: change, done: make(chan error, 1)}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return ErrClosed
	}
	// The change writes to its caller's variables, so the caller has to stay until the writer is done with it.
	select {
	case err := <-o.done:
		return err
	case err := <-w.closed:
		w.closed <- err
		select {
		case err := <-o.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// alive is nil once the writer came round to an empty change: it is neither stuck nor gone. A database that is out of
// reach is not the bot's to heal.
func (w *writer) alive(ctx context.Context) error {
	o := op{done: make(chan error, 1)}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return fmt.Errorf("the store takes no writes: %w", ctx.Err())
	}
	select {
	case err := <-o.done:
		if errors.Is(err, ErrUnreachable) {
			return nil
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("the store does not commit: %w", ctx.Err())
	}
}

func (w *writer) close() error {
	close(w.closing)
	err := <-w.closed
	w.closed <- err
	return err
}

func (w *writer) run() error {
	batch := make([]op, 0, maxBatch)
	for {
		select {
		case o := <-w.ops:
			batch = append(batch[:0], o)
		case <-w.closing:
			if w.tx == nil {
				return nil
			}
			return w.tx.close()
		}
	drain:
		for len(batch) < maxBatch {
			select {
			case o := <-w.ops:
				batch = append(batch, o)
			default:
				break drain
			}
		}
		w.commit(batch)
	}
}

// commit makes a batch durable. Where one change fails, each gets a commit of its own, so that it fails alone.
func (w *writer) commit(batch []op) {
	err := w.try(batch)
	if err != nil && len(batch) > 1 {
		for _, o := range batch {
			o.done <- w.try([]op{o})
		}
		return
	}
	for _, o := range batch {
		o.done <- err
	}
}

// try runs a batch in one transaction, on a new connection where the last one was lost.
func (w *writer) try(batch []op) error {
	if err := w.reconnect(); err != nil {
		return err
	}
	wrote, usable, err := w.tx.run(batch)
	fault := w.engine.fault(err)
	if !usable && fault == nil {
		fault = ErrUnreachable
	}
	if fault != nil && !errors.Is(err, fault) {
		err = fmt.Errorf("%w: %w", fault, err)
	}
	switch {
	case fault != nil:
		w.trouble.set(fault, err)
		if fault == ErrUnreachable || !usable {
			w.disconnect(err)
		}
	case wrote && err == nil:
		w.trouble.set(nil, nil)
	}
	return err
}

// disconnect gives a connection up that is of no use any more.
func (w *writer) disconnect(why error) {
	w.tx.discard()
	w.tx, w.why = nil, why
	w.pause, w.next = shortestRetry, time.Now()
}

// reconnect opens a connection where there is none, at most once a pause. Who comes meanwhile hears why.
func (w *writer) reconnect() error {
	if w.tx != nil {
		return nil
	}
	if time.Now().Before(w.next) {
		return fmt.Errorf("%w: %w", ErrUnreachable, w.why)
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if err := w.connect(ctx); err != nil {
		w.why, w.next = err, time.Now().Add(w.pause)
		w.pause = min(2*w.pause, longestRetry)
		w.trouble.set(ErrUnreachable, err)
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return nil
}

// connect opens the connection, and reads what the store keeps in memory.
func (w *writer) connect(ctx context.Context) error {
	conn, err := w.engine.connect(ctx)
	if err != nil {
		return fmt.Errorf("open the write connection: %w", err)
	}
	tx := newTxn(w.engine, conn)
	if err := w.connected(ctx, tx); err != nil {
		return errors.Join(err, tx.close())
	}
	w.tx = tx
	w.trouble.set(nil, nil)
	return nil
}
