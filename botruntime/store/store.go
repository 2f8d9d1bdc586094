// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

// fileName is the database's name in the state directory.
const fileName = "feedbackbridge.db"

var (
	// ErrNotFound means that the store has no such thing.
	ErrNotFound = errors.New("not found")
	// ErrInUse means that another bot works with the same state directory.
	ErrInUse = errors.New("the state directory is in use by another bot")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the store is closed")
)

// Store is the bot's durable state, in one SQLite database. What a method committed survives a crash of the process or
// of the machine. All methods may be called from several goroutines.
type Store struct {
	opts Options

	lock   *os.File
	writes *sql.DB
	reads  *sql.DB
	writer *writer

	dueResults *sql.Stmt
	lastDue    int64 // the highest number in line for the site; the writer's

	outboxReady  chan struct{}
	resultsReady chan struct{}

	countsMu sync.Mutex
	counts   Counts
}

// Options are the store's settings.
type Options struct {
	// ChatID is the staff's chat, where tickets are posted; those that wait for another one (it was changed) move to it.
	ChatID int64
	// Now is the clock; time.Now unless given.
	Now func() time.Time
}

// Open opens the store in a directory, making or migrating it as needed. Only one process at a time can: ErrInUse.
func Open(ctx context.Context, dir string, opts Options) (_ *Store, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{opts: opts, outboxReady: make(chan struct{}, 1), resultsReady: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeFiles())
		}
	}()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileName)
	if s.writes, err = openDB(path, "_pragma", "synchronous(FULL)"); err != nil {
		return nil, err
	}
	s.writes.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writes); err != nil {
		return nil, fmt.Errorf("migrate %s: %w", fileName, err)
	}
	if _, err := s.writes.ExecContext(ctx, `UPDATE outbox SET chat_id = ? WHERE kind = 'post'`, opts.ChatID); err != nil {
		return nil, fmt.Errorf("move tickets that wait to the chat: %w", err)
	}
	if s.reads, err = openDB(path, "_pragma", "query_only(1)"); err != nil {
		return nil, err
	}
	s.reads.SetMaxOpenConns(2)
	s.reads.SetMaxIdleConns(1)
	if s.counts, err = loadCounts(ctx, s.reads); err != nil {
		return nil, fmt.Errorf("count tickets: %w", err)
	}
	if err := s.reads.QueryRowContext(ctx, `SELECT coalesce(max(due), 0) FROM requests`).Scan(&s.lastDue); err != nil {
		return nil, fmt.Errorf("find the last result that is due: %w", err)
	}
	if s.dueResults, err = s.reads.PrepareContext(ctx, selectDueResults); err != nil {
		return nil, fmt.Errorf("prepare to read results: %w", err)
	}
	if s.writer, err = newWriter(ctx, s.writes); err != nil {
		return nil, err
	}
	return s, nil
}

// openDB opens the database file with small page caches: the bot's tables are small, and so should its memory be.
func openDB(path string, options ...string) (*sql.DB, error) {
	query := url.Values{"_pragma": {"journal_mode(WAL)", "busy_timeout(5000)", "cache_size(-512)"}}
	for i := 0; i+1 < len(options); i += 2 {
		query.Add(options[i], options[i+1])
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", fileName, err)
	}
	return db, nil
}

// Alive is nil while the store makes progress.
func (s *Store) Alive(ctx context.Context) error { return s.writer.alive(ctx) }

// Close ends the store; what was committed is on disk.
func (s *Store) Close() error {
	return errors.Join(s.writer.close(), s.closeFiles())
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.dueResults != nil {
		errs = append(errs, s.dueResults.Close())
	}
	for _, db := range []*sql.DB{s.reads, s.writes} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// OutboxReady is signalled when a job was added.
func (s *Store) OutboxReady() <-chan struct{} { return s.outboxReady }

// ResultsReady is signalled when a result became due.
func (s *Store) ResultsReady() <-chan struct{} { return s.resultsReady }

// signal wakes the one who waits on a channel of capacity 1; a wake-up that is pending already will do.
func signal(ready chan<- struct{}) {
	select {
	case ready <- struct{}{}:
	default:
	}
}

// Counts returns the store's counters.
func (s *Store) Counts() Counts {
	s.countsMu.Lock()
	defer s.countsMu.Unlock()
	return s.counts
}

func (s *Store) count(change func(*Counts)) {
	s.countsMu.Lock()
	defer s.countsMu.Unlock()
	change(&s.counts)
}

func loadCounts(ctx context.Context, db *sql.DB) (Counts, error) {
	var c Counts
	var last sql.NullInt64
	err := db.QueryRowContext(ctx, `
		SELECT count(*), count(*) FILTER (WHERE state = 'posted'), count(*) FILTER (WHERE state = 'pending'),
		       count(*) FILTER (WHERE state = 'failed'), max(settled_at) FILTER (WHERE state = 'posted')
		FROM tickets`).Scan(&c.Received, &c.Posted, &c.Pending, &c.Failed, &last)
	if last.Valid {
		c.LastPosted = fromMillis(last.Int64)
	}
	return c, err
}
