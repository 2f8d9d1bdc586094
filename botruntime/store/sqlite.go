// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fileName is the database's name in the state directory.
const fileName = "feedbackbridge.db"

// checkpointPages is how many pages the write-ahead log gathers before they go to the database: pages that many commits
// change are then written once. The log's file is cut back to walLimit bytes.
const (
	checkpointPages = 4000
	walLimit        = 16 << 20
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// sqliteEngine is a database in a directory, held by a lock that ends with the process.
type sqliteEngine struct {
	lock    *os.File
	path    string
	writeDB *sql.DB
	readDB  *sql.DB

	wal    *os.File // the write-ahead log, to be synced
	failed atomic.Pointer[error]
	flush  func(*os.File) error
	boot   func() int64
}

// openSQLite opens the database in a directory, or makes it. One that is damaged is set aside.
func openSQLite(ctx context.Context, dir string, now time.Time) (_ *sqliteEngine, err error) {
	e := &sqliteEngine{path: filepath.Join(dir, fileName), flush: flush, boot: bootID}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	if e.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	err = e.openFile(ctx)
	if errors.Is(sqliteFault(err), ErrCorrupt) {
		if err := e.closeDBs(); err != nil {
			return nil, err
		}
		if err := setAside(e.path, now); err != nil {
			return nil, fmt.Errorf("set the damaged database aside: %w", err)
		}
		err = e.openFile(ctx)
	}
	if err != nil {
		return nil, named(sqliteFault(err), err)
	}
	return e, nil
}

// openFile opens the file, checks it, and brings it to the newest schema. SQLite syncs its log where the order of writes
// asks for that; that commits are durable is up to sync.
func (e *sqliteEngine) openFile(ctx context.Context) (err error) {
	if e.writeDB, err = openDB(e.path, "synchronous(NORMAL)", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages),
		fmt.Sprintf("journal_size_limit(%d)", walLimit)); err != nil {
		return err
	}
	e.writeDB.SetMaxOpenConns(1)
	if err := e.check(ctx); err != nil {
		return fmt.Errorf("check %s: %w", fileName, err)
	}
	// What the log has by its checksums goes to the database, and is synced there.
	if _, err := e.writeDB.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("empty the log of %s: %w", fileName, err)
	}
	if err := shrinkable(ctx, e.writeDB); err != nil {
		return fmt.Errorf("prepare %s to shrink: %w", fileName, err)
	}
	if err := migrate(ctx, e.writeDB, e.schema()); err != nil {
		return fmt.Errorf("migrate %s: %w", fileName, err)
	}
	if e.readDB, err = openDB(e.path, "query_only(1)"); err != nil {
		return err
	}
	e.readDB.SetMaxOpenConns(2)
	e.readDB.SetMaxIdleConns(1)
	return nil
}

// openDB opens the database file with small page caches: the bot's tables are small, and so should its memory be.
func openDB(path string, pragmas ...string) (*sql.DB, error) {
	// auto_vacuum counts where the file is made, and has to come first.
	query := url.Values{"_pragma": append([]string{"auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "busy_timeout(5000)", "cache_size(-512)"}, pragmas...)}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", fileName, err)
	}
	return db, nil
}

// shrinkable rewrites a database of an earlier bot, whose file could not become smaller. Where the disk has no room for
// that, it stays as it is.
func shrinkable(ctx context.Context, db *sql.DB) error {
	mode, err := list[int64](ctx, db, "PRAGMA auto_vacuum")
	if err != nil || len(mode) == 1 && mode[0] != 0 {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
	if err != nil && errors.Is(sqliteFault(err), ErrFull) {
		return nil
	}
	return err
}

func (e *sqliteEngine) rebind(query string) string { return query }

func (e *sqliteEngine) begin() string { return "BEGIN IMMEDIATE" }

func (e *sqliteEngine) connect(ctx context.Context) (*sql.Conn, error) { return e.writeDB.Conn(ctx) }

// release has nothing to do: the lock is the directory's.
func (e *sqliteEngine) release(*sql.Conn) error { return nil }

func (e *sqliteEngine) reads() *sql.DB { return e.readDB }

func (e *sqliteEngine) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return ctx, func() {}
}

func (e *sqliteEngine) hurry() {}

func (e *sqliteEngine) schema() schema {
	files, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return schema{files: files, version: "PRAGMA user_version", note: "PRAGMA user_version = %d"}
}

// fault reads SQLite's error, and has the next Open look thoroughly after damage.
func (e *sqliteEngine) fault(err error) error {
	fault := sqliteFault(err)
	if errors.Is(fault, ErrCorrupt) {
		if err := e.suspect(); err != nil {
			return fmt.Errorf("%w (%w)", fault, err)
		}
	}
	return fault
}

// sqliteFault reads SQLite's error. A write that the disk did not take may have had no room: SQLite says FULL where the
// system said ENOSPC, and IOERR where it said that, say, a quota is used up.
func sqliteFault(err error) error {
	for _, named := range []error{ErrCorrupt, ErrBroken} {
		if errors.Is(err, named) {
			return named
		}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ErrFull
	}
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return nil
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrCorrupt
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return ErrRejected
	}
	switch failed.Code() {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return ErrFull
	}
	return nil
}

func (e *sqliteEngine) ended(err error) bool {
	return strings.Contains(err.Error(), "no transaction is active")
}

// sync syncs the log. After a failure nobody knows what the disk has, and a second try could succeed without it: the
// kernel may have forgotten what it could not write. Only reading the log again, by its checksums, tells.
func (e *sqliteEngine) sync() (err error) {
	if err := e.broken(); err != nil {
		return err
	}
	if err := e.openLog(); err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	if err := e.flush(e.wal); err != nil {
		err = fmt.Errorf("%w: %w", ErrBroken, err)
		e.failed.Store(&err)
		return err
	}
	return nil
}

// openLog has the log open that is there: SQLite makes a new one where all connections were closed in between.
func (e *sqliteEngine) openLog() error {
	now, err := os.Stat(e.path + "-wal")
	if err != nil {
		return err
	}
	if e.wal != nil {
		was, err := e.wal.Stat()
		if err != nil || os.SameFile(was, now) {
			return err
		}
		err = e.wal.Close()
		if e.wal = nil; err != nil {
			return err
		}
	}
	e.wal, err = os.Open(e.path + "-wal")
	return err
}

func (e *sqliteEngine) broken() error {
	if failed := e.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

func (e *sqliteEngine) ownDisk() bool { return true }

// counterBoot is the run of the machine that a bot works in; 0 where it ended as it should.
const counterBoot = "boot"

// begun compares the run of the machine with the last bot's.
func (e *sqliteEngine) begun(tx *txn) (lost int, err error) {
	var before int64
	if _, err := tx.get(`SELECT value FROM counters WHERE name = ?`, []any{counterBoot}, &before); err != nil {
		return 0, err
	}
	now := e.boot()
	if before != 0 && before != now {
		lost = mostLost
	}
	return lost, tx.set(counterBoot, now)
}

func (e *sqliteEngine) finished(tx *txn) error { return tx.set(counterBoot, 0) }

// bootID is a number of this run of the machine; where there is none to be had, one of this process.
func bootID() int64 {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		id = []byte(time.Now().String())
	}
	h := fnv.New64a()
	_, _ = h.Write(id)             // a hash cannot fail
	return int64(h.Sum64()>>2) + 1 // #nosec G115 -- it fits
}

func (e *sqliteEngine) closeDBs() error {
	var errs []error
	for _, db := range []*sql.DB{e.readDB, e.writeDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	e.readDB, e.writeDB = nil, nil
	return errors.Join(errs...)
}

func (e *sqliteEngine) close() error {
	if e.broken() != nil {
		return nil // SQLite would write its log to the database, from what the disk may not have: not in this process
	}
	err := e.closeDBs()
	if e.wal != nil {
		err = errors.Join(err, e.wal.Close())
		e.wal = nil
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Close())
		e.lock = nil
	}
	return err
}
