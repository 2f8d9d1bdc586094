// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// Store is the bot's durable state, in a SQLite database of its own or in a schema of a PostgreSQL database. What a method
// committed survives a crash of the process or of the machine. All methods may be called from several goroutines.
type Store struct {
	opts    Options
	engine  engine
	writer  *writer
	trouble *trouble
	memory  memory
	recent  recent

	outboxReady  chan struct{}
	resultsReady chan struct{}

	closing sync.Once
	closed  error
}

// Options are the store's settings. Exactly one of Dir and DSN is given.
type Options struct {
	// Dir is the directory of a SQLite database.
	Dir string
	// DSN is the address of a PostgreSQL database, as libpq takes it; Schema is the schema in it, which is made as needed.
	DSN, Schema string
	// Route says where tickets of a category are posted: a chat and, where that is fixed, a topic there (0 for none). Tickets
	// that wait are led by it anew at Open.
	Route func(category string) (chatID, threadID int64)
	// Chats are the staff's chats, those that Route leads to; what people add to a ticket that was posted in another one goes
	// to where Route leads the ticket now. Nil is for a staff that never moves.
	Chats []int64
	// Topic is the key of the topic that a ticket goes to, "" for none; a key ticket:<name> is that of the ticket's own one.
	// Nil is for none.
	Topic func(t ticket.Ticket) string
	// Retention says for how long things are kept.
	Retention Retention
	// Now is the clock; time.Now unless given.
	Now func() time.Time

	offline bool // for a command: nothing is posted, and what waits stays where it is
}

func (o *Options) complete() error {
	switch {
	case (o.Dir == "") == (o.DSN == ""):
		return errors.New("the store needs either a directory or the address of a PostgreSQL database")
	case o.DSN != "" && o.Schema == "":
		return errors.New("the store needs the name of a schema in the PostgreSQL database")
	case o.Route == nil && !o.offline:
		return errors.New("the store needs to know where tickets are posted")
	}
	if o.Topic == nil {
		o.Topic = func(ticket.Ticket) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Retention = o.Retention.orDefaults()
	return nil
}

// Open opens the store, making or migrating it as needed. Only one process at a time can: ErrInUse. A damaged SQLite
// database is set aside, and Trouble tells of it.
func Open(ctx context.Context, opts Options) (_ *Store, err error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Store{opts: opts, trouble: &trouble{}, outboxReady: make(chan struct{}, 1), resultsReady: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.engine, err = openEngine(ctx, opts); err != nil {
		return nil, err
	}
	if opts.Dir != "" {
		if err := s.trouble.findAside(opts.Dir); err != nil {
			return nil, err
		}
	}
	calm := context.AfterFunc(ctx, s.engine.hurry)
	defer calm()
	if s.writer, err = newWriter(ctx, s); err != nil {
		return nil, err
	}
	if opts.offline {
		return s, nil
	}
	if err := s.reroute(ctx); err != nil {
		return nil, fmt.Errorf("lead what waits to the chats of the settings: %w", err)
	}
	return s, nil
}

func openEngine(ctx context.Context, opts Options) (engine, error) {
	if opts.Dir != "" {
		e, err := openSQLite(ctx, opts.Dir, opts.Now())
		if err != nil {
			return nil, err // not a nil *sqliteEngine
		}
		return e, nil
	}
	e, err := openPostgres(opts.DSN, opts.Schema)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Alive is nil while the store makes progress.
func (s *Store) Alive(ctx context.Context) error { return s.writer.alive(ctx) }

// Hurry has the store wait for a server that does not answer for two seconds at most, with what is under way too: the bot is to
// end. Until Close it goes on to work.
func (s *Store) Hurry() { s.engine.hurry() }

// Close ends the store; what was committed is on disk.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.closeAll() })
	return s.closed
}

func (s *Store) closeAll() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.engine != nil {
		errs = append(errs, s.engine.close())
	}
	return errors.Join(errs...)
}

// OutboxReady is signalled when a job was added.
func (s *Store) OutboxReady() <-chan struct{} { return s.outboxReady }

// ResultsReady is signalled when a result became due.
func (s *Store) ResultsReady() <-chan struct{} { return s.resultsReady }

// woke wakes those who wait for what was synced.
func (s *Store) woke(w wake) {
	if w.outbox {
		signal(s.outboxReady)
	}
	if w.results {
		signal(s.resultsReady)
	}
}

// signal wakes the one who waits on a channel of capacity 1; a wake-up that is pending already will do.
func signal(ready chan<- struct{}) {
	select {
	case ready <- struct{}{}:
	default:
	}
}
