// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package storetest names the databases that tests of the store, and of what works with it, run on.
package storetest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
)

// Database is a kind of database.
type Database struct {
	Name string
	// Options make room for a new store: everything else in them is the caller's to fill in. The test's package needs
	// func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }.
	Options func(t testing.TB) store.Options
}

var schemas atomic.Int64

// Databases are SQLite and PostgreSQL.
func Databases() []Database {
	return []Database{
		{"sqlite", func(t testing.TB) store.Options { return store.Options{Dir: t.TempDir()} }},
		{"postgres", func(t testing.TB) store.Options {
			t.Helper()
			return store.Options{DSN: pgtest.DSN(t), Schema: fmt.Sprintf("test_%d_%d", os.Getpid(), schemas.Add(1))}
		}},
	}
}
