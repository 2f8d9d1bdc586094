// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

// serverPatience bounds one transaction, and one read: a server that is gone without a word must not hold the bot up for
// longer. When the bot is to end it is lastPatience, from then on for what is under way.
const (
	serverPatience = 20 * time.Second
	lastPatience   = 2 * time.Second
)

// postgresEngine is a schema of a PostgreSQL database, held by an advisory lock of the connection that writes. Its commits
// do not wait for the server's disk; sync does.
type postgresEngine struct {
	schemaName string
	writeDB    *sql.DB
	readDB     *sql.DB
	syncDB     *sql.DB // of its own: reads that hang must not keep commits from being durable

	history  int64 // which server's log the connection writes to; 0 where the server does not say
	works    bool  // this bot began to work with the database: the server may have forgotten that
	patience time.Duration
	calm     context.Context // until hurry
	endCalm  context.CancelFunc
}

// schemaPattern is a name that means the same with and without quotes.
var schemaPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// openPostgres gets ready to connect to a schema.
func openPostgres(dsn, schemaName string) (*postgresEngine, error) {
	if !schemaPattern.MatchString(schemaName) {
		return nil, fmt.Errorf("the schema's name %q must be of at most 63 small letters, digits and _", schemaName)
	}
	config, err := postgresConfig(dsn, schemaName)
	if err != nil {
		return nil, err
	}
	e := &postgresEngine{schemaName: schemaName, writeDB: stdlib.OpenDB(*config), syncDB: stdlib.OpenDB(*config), patience: serverPatience}
	e.calm, e.endCalm = context.WithCancel(context.Background())
	e.writeDB.SetMaxOpenConns(1)
	e.syncDB.SetMaxOpenConns(1)
	readOnly := config.Copy()
	readOnly.RuntimeParams["default_transaction_read_only"] = "on"
	e.readDB = stdlib.OpenDB(*readOnly)
	e.readDB.SetMaxOpenConns(2)
	e.readDB.SetMaxIdleConns(1)
	e.readDB.SetConnMaxIdleTime(5 * time.Minute)
	return e, nil
}

// postgresConfig reads the address. Both ends notice soon when the other one is gone, also where an answer is under way to it,
// for which keepalives do not count: the lock goes with the connection.
func postgresConfig(dsn, schemaName string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// Not the error's own words: there is a password in the address.
		return nil, errors.New("the address of the PostgreSQL database cannot be read")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	params := map[string]string{"search_path": schemaName, "application_name": "feedbackbridge",
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "25000",
		"synchronous_commit":                  "off",
		"idle_in_transaction_session_timeout": strconv.FormatInt(serverPatience.Milliseconds(), 10)}
	for name, value := range params {
		if _, given := config.RuntimeParams[name]; !given || name == "search_path" {
			config.RuntimeParams[name] = value
		}
	}
	return config, nil
}

// connect takes the lock and brings the schema up to date, on whatever server answers by now.
func (e *postgresEngine) connect(ctx context.Context) (_ *sql.Conn, err error) {
	if e.calm.Err() != nil {
		return nil, errors.New("the bot is to end")
	}
	conn, err := e.writeDB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the lock must not stay in the pool
			_ = conn.Close()
		}
	}()
	var mine bool
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, e.lockKey()).Scan(&mine); err != nil {
		return nil, fmt.Errorf("take the lock: %w", err)
	}
	if !mine {
		return nil, ErrInUse
	}
	if err := migrate(ctx, conn, e.schema()); err != nil {
		return nil, fmt.Errorf("migrate the schema %s: %w", e.schemaName, err)
	}
	e.history = historyOf(ctx, conn)
	return conn, nil
}

// historyOf is a number of the server's log: another one after a replica was promoted, or a backup restored.
func historyOf(ctx context.Context, conn *sql.Conn) int64 {
	var id, file string
	if err := conn.QueryRowContext(ctx, `SELECT system_identifier::text, pg_walfile_name(pg_current_wal_lsn()) FROM pg_control_system()`).
		Scan(&id, &file); err != nil || len(file) < 8 {
		return 0 // not every service lets its users ask that
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id + file[:8])) // the timeline; a hash cannot fail
	return int64(h.Sum64()>>2) + 1        // #nosec G115 -- it fits
}

// release lets the next bot in at once, rather than when the server has noticed that this one is gone.
func (e *postgresEngine) release(conn *sql.Conn) error {
	ctx, cancel := e.bound(context.Background())
	defer cancel()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, e.lockKey()); err != nil {
		return fmt.Errorf("give the lock back: %w", err)
	}
	return nil
}

// lockKey is the number of the schema's lock.
func (e *postgresEngine) lockKey() int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("feedbackbridge/" + e.schemaName)) // a hash cannot fail
	return int64(h.Sum64())                                  // #nosec G115 -- any number will do
}

// rebind numbers the parameters. No query of the store's has a question mark that is not one.
func (e *postgresEngine) rebind(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

func (e *postgresEngine) begin() string { return "BEGIN" }

func (e *postgresEngine) reads() *sql.DB { return e.readDB }

func (e *postgresEngine) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	stop := context.AfterFunc(e.calm, func() { time.AfterFunc(lastPatience, cancel) })
	return ctx, func() { stop(); cancel() }
}

func (e *postgresEngine) hurry() { e.endCalm() }

func (e *postgresEngine) schema() schema {
	files, err := fs.Sub(postgresMigrations, "migrations/postgres")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return schema{files: files,
		// Who may not make schemas may still use one that is there.
		prepare: `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '` + e.schemaName + `') THEN
			CREATE SCHEMA ` + e.schemaName + `; END IF; END $$;
			CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL);
			INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)`,
		version: "SELECT version FROM schema_version", note: "UPDATE schema_version SET version = %d"}
}

// fault reads PostgreSQL's error by its class. What is no error of the server's is one of the way there.
func (e *postgresEngine) fault(err error) error {
	var failed *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnreachable):
		return ErrUnreachable
	case !errors.As(err, &failed):
		if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, context.DeadlineExceeded) {
			return ErrUnreachable
		}
		return nil // a connection that broke shows when the transaction is rolled back
	}
	switch code := failed.Code; {
	case code == "53100": // disk_full
		return ErrFull
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "53"), code == "25006", code == "25P03":
		return ErrUnreachable // connection exceptions, shutdown, too many connections, a replica, a session that was ended
	case strings.HasPrefix(code, "XX"):
		return ErrUnreachable // damage, which is the server's to heal: nothing is set aside there
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), strings.HasPrefix(code, "54"):
		return ErrRejected // data, constraints, limits
	}
	return nil
}

func (e *postgresEngine) ended(error) bool { return false }

// sync has a small commit wait for the server's disk: the log that holds it holds all before it. It fails where the server
// has lost its memory since the store was opened, for then some may be lost.
func (e *postgresEngine) sync() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
	}()
	ctx, cancel := e.bound(context.Background())
	defer cancel()
	tx, err := e.syncDB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong is told already
		}
	}()
	if _, err := tx.ExecContext(ctx, `SET LOCAL synchronous_commit = on`); err != nil {
		return err
	}
	var alive bool
	if err := tx.QueryRowContext(ctx, `INSERT INTO counters (name, value) VALUES ('syncs', 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING EXISTS (SELECT 1 FROM running)`).Scan(&alive); err != nil {
		return err
	}
	if !alive {
		return errors.New("the server has started again")
	}
	return tx.Commit()
}

func (e *postgresEngine) broken() error { return nil }

func (e *postgresEngine) ownDisk() bool { return false }

// counterHistory is the log that the last bot wrote to.
const counterHistory = "history"

// begun looks for the row of running, a table that PostgreSQL empties when it has to recover: then it may have lost
// commits that nobody waited for. A server of another history may lack any number of them, but none where the last thing that it
// has is that the bot ended: that comes after all others.
func (e *postgresEngine) begun(tx *txn) (lost int, err error) {
	var unfinished, kept bool
	var history int64
	if _, err := tx.get(`SELECT EXISTS (SELECT 1 FROM counters WHERE name = ? AND value <> 0), EXISTS (SELECT 1 FROM running),
		coalesce((SELECT value FROM counters WHERE name = ?), 0)`, []any{counterBoot, counterHistory}, &unfinished, &kept, &history); err != nil {
		return 0, err
	}
	unfinished = unfinished || e.works
	switch {
	case unfinished && e.history != 0 && history != 0 && e.history != history:
		lost = math.MaxInt32
	case unfinished && !kept:
		lost = mostLost
	}
	e.works = true
	if !kept {
		if _, err := tx.exec(`INSERT INTO running (bot) VALUES (1)`); err != nil {
			return 0, err
		}
	}
	if e.history != 0 {
		if err := tx.set(counterHistory, e.history); err != nil {
			return 0, err
		}
	}
	return lost, tx.set(counterBoot, 1)
}

func (e *postgresEngine) finished(tx *txn) error { return tx.set(counterBoot, 0) }

func (e *postgresEngine) close() error {
	e.endCalm()
	return errors.Join(e.readDB.Close(), e.syncDB.Close(), e.writeDB.Close())
}
