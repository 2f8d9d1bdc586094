// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
)

var (
	// ErrNotFound means that the store has no such thing.
	ErrNotFound = errors.New("not found")
	// ErrInUse means that another bot works with the same state directory or schema.
	ErrInUse = errors.New("the store is in use by another bot")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrFull means that there is no room to write. What was to be written is as if nobody had tried.
	ErrFull = errors.New("there is no room on the disk")
	// ErrCorrupt means that the database is damaged. The next Open sets it aside.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrBroken means that the disk did not keep what was written to it. Only a new process can find out what it has.
	ErrBroken = errors.New("the disk did not keep what was written; the bot has to start again")
	// ErrUnreachable means that the database server cannot be reached, or that its lock was lost.
	ErrUnreachable = errors.New("the database cannot be reached")
	// ErrRejected means that the database refused a statement for what it says. It will again; nothing was changed.
	ErrRejected = errors.New("the database refuses this")
)

// engine is what tells one database from the other. Queries are written for both, with ? for their parameters.
type engine interface {
	// rebind is a query in the engine's own form of parameters.
	rebind(query string) string
	// begin is the statement that begins a transaction which will write.
	begin() string
	// connect opens the one connection that may write, and takes the lock where that is the connection's: ErrInUse.
	connect(ctx context.Context) (*sql.Conn, error)
	// release gives the lock back that connect took.
	release(conn *sql.Conn) error
	// reads is the pool of connections that only read.
	reads() *sql.DB
	// fault is ErrFull, ErrCorrupt, ErrBroken, ErrUnreachable or ErrRejected where an error is one of these, else nil.
	fault(err error) error
	// ended tells the error of a rollback where the database had ended the transaction already.
	ended(err error) bool
	// sync makes all commits durable, also against the end of the machine or server.
	sync() error
	// broken is not nil once a sync failed in a way after which nobody knows what the disk has.
	broken() error
	// ownDisk tells whether what sync waits for is this machine's: a disk that hangs is for another start to mend.
	ownDisk() bool
	// begun notes that a bot works with the database, and tells how many jobs of a chat may have been sent without a trace,
	// since commits may have been lost; finished notes that it ended, and that nothing is missing.
	begun(tx *txn) (lost int, err error)
	finished(tx *txn) error
	// bound is ctx for the statements of one transaction, or for one read; nothing may wait for a network forever.
	bound(ctx context.Context) (context.Context, context.CancelFunc)
	// hurry has the contexts of bound end sooner, those that are in use too: the bot is to end.
	hurry()
	// schema reads and notes how many migrations were made, and has them.
	schema() schema
	close() error
}

// schema is an engine's way of keeping the schema's version.
type schema struct {
	// files are the migrations, in the order of their names.
	files fs.FS
	// prepare makes what version needs; it may be empty.
	prepare string
	// version reads how many migrations were made; note, with the number for %d, writes it.
	version, note string
}

// named is an error that is also the fault that it comes from.
func named(fault, err error) error {
	if fault == nil || errors.Is(err, fault) {
		return err
	}
	return fmt.Errorf("%w: %w", fault, err)
}
