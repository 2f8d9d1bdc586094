// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// maxBatch bounds how many writes share a commit.
const maxBatch = 128

// writer makes all changes, on one connection. Changes that arrive while a commit is under way share the next one: a
// commit waits for the disk, and the disk takes as long for one change as for a hundred.
type writer struct {
	ops     chan op
	closing chan struct{}
	closed  chan error
}

type op struct {
	change func(*txn) error
	done   chan error
}

// newWriter takes the database's only write connection until close.
func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the write connection: %w", err)
	}
	w := &writer{ops: make(chan op, maxBatch), closing: make(chan struct{}), closed: make(chan error, 1)}
	go func() { w.closed <- w.run(&txn{conn: conn, stmts: map[string]*sql.Stmt{}}) }()
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

// alive is nil once the writer came round to an empty change: it is neither stuck nor gone.
func (w *writer) alive(ctx context.Context) error {
	o := op{change: func(*txn) error { return nil }, done: make(chan error, 1)}
	select {
	case w.ops <- o:
	case <-ctx.Done():
		return fmt.Errorf("the store takes no writes: %w", ctx.Err())
	}
	select {
	case err := <-o.done:
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

func (w *writer) run(tx *txn) error {
	batch := make([]op, 0, maxBatch)
	for {
		select {
		case o := <-w.ops:
			batch = append(batch[:0], o)
		case <-w.closing:
			return tx.close()
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
		w.commit(tx, batch)
	}
}

// commit makes a batch durable. Where one change fails, each gets a commit of its own, so that it fails alone.
func (w *writer) commit(tx *txn, batch []op) {
	err := tx.run(batch)
	if err != nil && len(batch) > 1 {
		for _, o := range batch {
			o.done <- tx.run([]op{o})
		}
		return
	}
	for _, o := range batch {
		o.done <- err
	}
}

// txn is the transaction that changes run in, with the connection's prepared statements.
type txn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	after []func()
}

func (t *txn) run(batch []op) error {
	t.after = t.after[:0]
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, o := range batch {
		if err := o.change(t); err != nil {
			return errors.Join(err, t.rollback())
		}
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), t.rollback())
	}
	for _, f := range t.after {
		f()
	}
	return nil
}

func (t *txn) rollback() error {
	if _, err := t.exec("ROLLBACK"); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// afterCommit has f run once the transaction is durable.
func (t *txn) afterCommit(f func()) { t.after = append(t.after, f) }

func (t *txn) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := t.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.stmts[query] = stmt
	}
	return stmt, err
}

// exec runs a constant statement; the statement is prepared once.
func (t *txn) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(context.Background(), args...)
}

// get reads one row of a constant query; found is false where there is none.
func (t *txn) get(query string, args []any, into ...any) (found bool, err error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(context.Background(), args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// next counts a counter up and returns its new value.
func (t *txn) next(counter string) (int64, error) {
	var value int64
	_, err := t.get(`INSERT INTO counters (name, value) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`, []any{counter}, &value)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", counter, err)
	}
	return value, nil
}

func (t *txn) close() error {
	var errs []error
	for _, stmt := range t.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, t.conn.Close())...)
}
