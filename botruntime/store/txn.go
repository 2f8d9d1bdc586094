// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// txn is the transaction that changes run in, with the connection's prepared statements.
type txn struct {
	engine engine
	conn   *sql.Conn
	ctx    context.Context // of the transaction's statements
	stmts  map[string]*sql.Stmt
	after  []func()
	wake   wake
	dirty  bool   // something may have been written
	failed error  // of a statement: SQLite may have ended the transaction, and what follows would be on its own
	undone func() // called where the transaction's changes are undone
}

func newTxn(e engine, conn *sql.Conn) *txn {
	return &txn{engine: e, conn: conn, stmts: map[string]*sql.Stmt{}, undone: func() {}}
}

// run makes a batch of changes in one transaction. After a transaction that could not be ended, the connection is not
// usable.
func (t *txn) run(batch []op) (usable bool, err error) {
	var end context.CancelFunc
	t.ctx, end = t.engine.bound(context.Background())
	defer end()
	t.after, t.wake, t.failed = t.after[:0], wake{}, nil
	if _, err := t.exec(t.engine.begin()); err != nil {
		usable, undo := t.rollback()
		return usable, errors.Join(fmt.Errorf("begin: %w", err), undo)
	}
	t.dirty = false
	for _, o := range batch {
		if o.change == nil {
			continue
		}
		err := o.change(t)
		if err == nil {
			err = t.failed
		}
		if err != nil {
			usable, undo := t.rollback()
			return usable, errors.Join(err, undo)
		}
	}
	dirty := t.dirty
	if _, err := t.exec("COMMIT"); err != nil {
		usable, undo := t.rollback()
		return usable, errors.Join(fmt.Errorf("commit: %w", err), undo)
	}
	t.dirty = dirty
	for _, f := range t.after {
		f()
	}
	return true, nil
}

// look runs what reads outside a transaction.
func (t *txn) look(read func(*txn) error) error {
	var end context.CancelFunc
	t.ctx, end = t.engine.bound(context.Background())
	defer end()
	return read(t)
}

func (t *txn) rollback() (usable bool, err error) {
	t.undone()
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	ctx, end := t.engine.bound(ctx)
	defer end()
	// Not by a prepared statement: where the context has ended, the connection may have, too.
	if _, err := t.conn.ExecContext(ctx, "ROLLBACK"); err != nil && !t.engine.ended(err) {
		return false, fmt.Errorf("roll back: %w", err)
	}
	return true, nil
}

// wake is who is to be woken when a commit is synced.
type wake struct{ outbox, results bool }

func (w *wake) add(more wake) {
	w.outbox = w.outbox || more.outbox
	w.results = w.results || more.results
}

// afterCommit has f run once the transaction is committed.
func (t *txn) afterCommit(f func()) { t.after = append(t.after, f) }

func (t *txn) prepare(query string) (*sql.Stmt, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	if stmt, ok := t.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.conn.PrepareContext(t.ctx, t.engine.rebind(query))
	if err == nil {
		t.stmts[query] = stmt
	}
	return stmt, t.fails(err)
}

// fails notes the error of a statement.
func (t *txn) fails(err error) error {
	if err != nil {
		t.failed = err
	}
	return err
}

// exec runs a constant statement; the statement is prepared once.
func (t *txn) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	t.dirty = true
	result, err := stmt.ExecContext(t.ctx, args...)
	return result, t.fails(err)
}

// change is exec, and tells how many rows were changed.
func (t *txn) change(query string, args ...any) (rows int64, err error) {
	result, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// get reads one row of a constant query; found is false where there is none.
func (t *txn) get(query string, args []any, into ...any) (found bool, err error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(t.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, t.fails(err)
}

// rows begins to read the rows of a constant query.
func (t *txn) rows(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(t.ctx, args...)
	return rows, t.fails(err)
}

// count counts a counter up and returns its new value.
func (t *txn) count(counter string) (int64, error) {
	var value int64
	t.dirty = true
	_, err := t.get(`INSERT INTO counters (name, value) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`, []any{counter}, &value)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", counter, err)
	}
	return value, nil
}

// set gives a counter a value.
func (t *txn) set(counter string, value int64) error {
	_, err := t.exec(`INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, counter, value)
	return err
}

func (t *txn) close() error {
	var errs []error
	for _, stmt := range t.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, t.conn.Close())...)
}

// discard closes a connection that may be broken: it must not go back to its pool.
func (t *txn) discard() {
	for _, stmt := range t.stmts {
		_ = stmt.Close()
	}
	_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = t.conn.Close()
}
