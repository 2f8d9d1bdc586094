// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
)

// database is a *sql.DB or a *sql.Conn.
type database interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

// migrate brings the database to the newest schema, one transaction a step.
func migrate(ctx context.Context, db database, s schema) error {
	steps, err := fs.Glob(s.files, "*.sql")
	if err != nil {
		return fmt.Errorf("list the migrations: %w", err)
	}
	if _, err := db.ExecContext(ctx, s.prepare); err != nil {
		return fmt.Errorf("prepare the schema: %w", err)
	}
	var done int
	if err := db.QueryRowContext(ctx, s.version).Scan(&done); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if done > len(steps) {
		return fmt.Errorf("the store is of version %d and this bot knows %d: run a newer bot", done, len(steps))
	}
	for ; done < len(steps); done++ {
		if err := migrateStep(ctx, db, s, steps[done], done+1); err != nil {
			return fmt.Errorf("%s: %w", steps[done], err)
		}
	}
	return nil
}

func migrateStep(ctx context.Context, db database, s schema, file string, version int) error {
	script, err := fs.ReadFile(s.files, file)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, string(script))
	if err == nil {
		_, err = tx.ExecContext(ctx, fmt.Sprintf(s.note, version))
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
