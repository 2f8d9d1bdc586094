// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// scanner is a row.
type scanner interface{ Scan(into ...any) error }

// list reads the one column of a query that needs no rebinding.
func list[T any](ctx context.Context, db *sql.DB, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	return collect(rows, err, scanOne[T])
}

func scanOne[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// collect reads all rows of a query, and closes it; it takes the query's own error for the sake of its callers.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) (values []T, _ error) {
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var v T
		if v, err = scan(rows); err != nil {
			break
		}
		values = append(values, v)
	}
	return values, errors.Join(err, rows.Err(), rows.Close())
}

// read reads all rows of a query, outside the transactions of the writer.
func read[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) (values []T, err error) {
	err = s.reading(ctx, func(ctx context.Context) error {
		rows, err := s.engine.reads().QueryContext(ctx, s.engine.rebind(query), args...)
		values, err = collect(rows, err, scan)
		return err
	})
	return values, err
}

// reading runs what reads outside the transactions of the writer. It takes no longer than the engine has patience, and its
// error is named by the engine, unless the caller's own context has ended.
func (s *Store) reading(ctx context.Context, do func(context.Context) error) error {
	bound, end := s.engine.bound(ctx)
	defer end()
	err := do(bound)
	if err == nil || ctx.Err() != nil {
		return err
	}
	fault := s.engine.fault(err)
	err = named(fault, err)
	if errors.Is(fault, ErrCorrupt) {
		s.trouble.commits(fault, err)
	}
	return err
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// stamp is a time that may be zero, which is kept as 0.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromStamp is the way back.
func fromStamp(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return fromMillis(ms)
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// keyMark begins keys that are kept in another form.
const keyMark = "\x01"

// toKey is a name that the site made up, in a form that every database keeps exactly: the site gets it back. PostgreSQL
// takes neither NUL nor what is not UTF-8, and the ids of frames may have both.
func toKey(name string) string {
	if utf8.ValidString(name) && !strings.Contains(name, "\x00") && !strings.HasPrefix(name, keyMark) {
		return name
	}
	return keyMark + base64.StdEncoding.EncodeToString([]byte(name))
}

// fromKey is the way back.
func fromKey(key string) string {
	coded, found := strings.CutPrefix(key, keyMark)
	if !found {
		return key
	}
	name, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return key // of an earlier bot, which kept all names as they were
	}
	return string(name)
}

// text is a text in a form that every database keeps.
func text(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
