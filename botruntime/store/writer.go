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
	rollbackTimeout = 5 * time.Second
)

// writer makes all changes, on one connection. Changes that arrive while a commit is under way share the next one, and
// commits that were made while the disk was synced share the next sync: it takes as long for one as for a hundred.
type writer struct {
	engine engine
	// connected reads what the store keeps in memory, whenever a connection was opened.
	connected func(tx *txn) error
	// last is the highest number that rows were given.
	last    func() int64
	syncer  *syncer
	trouble *trouble
	// woke wakes those who wait for what commits bring.
	woke func(wake)

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
	done   chan ending
}

// ending is how an op ended: a commit, which is to be synced, or an error.
type ending struct {
	commit receipt
	err    error
}

// newWriter opens the write connection of a store and works until close.
func newWriter(ctx context.Context, s *Store) (*writer, error) {
	w := &writer{engine: s.engine, connected: s.load, last: func() int64 { return s.memory.last }, trouble: s.trouble, woke: s.woke,
		ops: make(chan op, maxBatch), closing: make(chan struct{}), closed: make(chan error, 1)}
	w.syncer = newSyncer(w.sync, s.woke)
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	go w.syncer.run()
	go func() { w.closed <- w.run() }()
	return w, nil
}

// write runs a change and returns once it is durable, or was undone. A change may run again after it was undone along
// with others, so it must set its results rather than add to them. Its error undoes it.
func (w *writer) write(ctx context.Context, change func(*txn) error) error {
	commit, err := w.do(ctx, change)
	if err != nil {
		return err
	}
	return w.syncer.wait(ctx, commit)
}

// writeSoon is write for changes that need not be durable at once: they outlive the process, but perhaps not the machine.
// No more than maxUnsynced of them wait to be durable.
func (w *writer) writeSoon(ctx context.Context, change func(*txn) error) error {
	if err := w.syncer.room(ctx); err != nil {
		return err
	}
	_, err := w.do(ctx, change)
	return err
}

// do has a change committed.
func (w *writer) do(ctx context.Context, change func(*txn) error) (receipt, error) {
	o := op{change: change, done: make(chan ending, 1)}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return receipt{}, ctx.Err()
	case <-w.closing:
		return receipt{}, ErrClosed
	}
	// The change writes to its caller's variables, so the caller has to stay until the writer is done with it.
	select {
	case end := <-o.done:
		return end.commit, end.err
	case err := <-w.closed:
		w.closed <- err
		select {
		case end := <-o.done:
			return end.commit, end.err
		default:
			return receipt{}, ErrClosed
		}
	}
}

// roomProbe is how much alive writes to see whether there is room again.
const roomProbe = 64 << 10

// alive is nil once the writer came round to an empty change, and what was committed is durable where the disk is the bot's own:
// neither is stuck or gone. A database that is out of reach or slow to sync, or a disk that is full, is not the bot's to heal;
// whether there is room again is tried out.
func (w *writer) alive(ctx context.Context) error {
	err := w.trouble.lasts()
	if err == nil {
		err = w.comesRound(ctx)
	}
	if err == nil && w.engine.ownDisk() {
		if err = w.syncer.settled(ctx); err != nil && ctx.Err() != nil {
			err = fmt.Errorf("the store does not sync: %w", err)
		}
	}
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrFull) {
		return nil
	}
	return err
}

// comesRound returns how an empty change ended.
func (w *writer) comesRound(ctx context.Context) error {
	o := op{done: make(chan ending, 1)}
	if w.trouble.is(ErrFull) {
		o.change = func(tx *txn) error {
			_, err1 := tx.exec(`INSERT INTO updates (id, payload) VALUES (-1, ?)`, make([]byte, roomProbe))
			_, err2 := tx.exec(`DELETE FROM updates WHERE id = -1`)
			return errors.Join(err1, err2)
		}
	}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return fmt.Errorf("the store takes no writes: %w", ctx.Err())
	}
	select {
	case end := <-o.done:
		return end.err
	case <-ctx.Done():
		return fmt.Errorf("the store does not commit: %w", ctx.Err())
	}
}

func (w *writer) close() error {
	w.engine.hurry()
	close(w.closing)
	err := <-w.closed
	w.closed <- err
	return err
}

// finish syncs what was committed, with a note that nothing is missing.
func (w *writer) finish() error {
	if w.tx == nil {
		return w.syncer.close()
	}
	end := w.try([]op{{change: w.engine.finished}})
	err := errors.Join(end.err, w.syncer.close())
	if w.tx != nil {
		err = errors.Join(err, w.engine.release(w.tx.conn), w.tx.close())
	}
	return err
}

func (w *writer) run() error {
	batch := make([]op, 0, maxBatch)
	for {
		select {
		case o := <-w.ops:
			batch = append(batch[:0], o)
		case <-w.closing:
			return w.finish()
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

// commit commits a batch. Where one change fails, each gets a commit of its own, so that it fails alone.
func (w *writer) commit(batch []op) {
	end := w.try(batch)
	if end.err != nil && len(batch) > 1 {
		for _, o := range batch {
			o.done <- w.try([]op{o})
		}
		return
	}
	for _, o := range batch {
		o.done <- end
	}
}

// try runs a batch in one transaction, on a new connection where the last one was lost.
func (w *writer) try(batch []op) (end ending) {
	if end.err = w.reconnect(); end.err != nil {
		return end
	}
	if end.err = w.engine.broken(); end.err != nil {
		return end
	}
	usable, err := w.tx.run(batch)
	if err == nil {
		if w.tx.dirty {
			end.commit = w.syncer.commit(w.last(), w.tx.wake)
			w.trouble.commits(nil, nil)
		}
		return end
	}
	fault := w.engine.fault(err)
	if !usable && fault == nil {
		fault = ErrUnreachable
	}
	if fault == nil {
		return ending{err: err}
	}
	err = named(fault, err)
	if usable && errors.Is(fault, ErrRejected) {
		return ending{err: err}
	}
	w.trouble.commits(fault, err)
	if !usable || errors.Is(fault, ErrUnreachable) {
		w.disconnect(err)
	}
	return ending{err: err}
}

// sync makes all commits durable; the syncer's.
func (w *writer) sync() error {
	err := w.engine.sync()
	if fault := w.engine.fault(err); fault != nil || err == nil {
		w.trouble.syncs(fault, err)
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
		w.trouble.commits(ErrUnreachable, err)
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	// Who was to be woken by a commit whose end was lost with the connection was not.
	w.woke(wake{outbox: true, results: true})
	return nil
}

// connect opens the connection, reads what the store keeps in memory, and has everything durable that is there.
func (w *writer) connect(ctx context.Context) error {
	ctx, end := w.engine.bound(ctx)
	defer end()
	conn, err := w.engine.connect(ctx)
	if err != nil {
		return fmt.Errorf("open the write connection: %w", err)
	}
	tx := newTxn(w.engine, conn)
	if err = tx.look(w.connected); err == nil {
		_, err = tx.run([]op{{change: w.begin}})
	}
	if err == nil {
		err = w.engine.sync()
	}
	if err != nil {
		return errors.Join(named(w.engine.fault(err), err), tx.close())
	}
	w.tx = tx
	w.syncer.reset(w.last())
	w.trouble.commits(nil, nil)
	w.trouble.syncs(nil, nil)
	return nil
}

// begin notes that a bot works with the database, and marks the jobs that may have been sent where commits were lost.
func (w *writer) begin(tx *txn) error {
	lost, err := w.engine.begun(tx)
	if err != nil || lost == 0 {
		return err
	}
	if _, err := tx.exec(`UPDATE outbox SET claimed = 1 WHERE (chat_id, priority, seq) IN (SELECT chat_id, priority, seq FROM (
		SELECT chat_id, priority, seq, row_number() OVER (PARTITION BY chat_id ORDER BY priority, seq) AS place
		FROM outbox WHERE chat_id <> 0) waiting WHERE place <= ?)`, lost); err != nil {
		return err
	}
	// What waits for one of these posts may have followed it.
	_, err = tx.exec(`UPDATE outbox SET claimed = 1 WHERE chat_id = 0 AND name IN
		(SELECT t.name FROM outbox o JOIN tickets t ON t.id = o.ticket WHERE o.kind = 'post' AND o.claimed = 1)`)
	return err
}
