// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Backup writes a copy of the database in a directory, as of one moment, to a new file. A bot may be at work there.
func Backup(ctx context.Context, dir, file string) (err error) {
	db, err := openBeside(dir, "mode", "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// The file is made here, for its owner alone: SQLite writes to one that is empty.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- the person's own choice
	if err != nil {
		return fmt.Errorf("make the copy: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	if err := f.Close(); err != nil {
		return fmt.Errorf("make the copy: %w", err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", file); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return syncFile(file)
}

// syncFile has the disk keep a file and its name.
func syncFile(path string) error {
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name) // #nosec G304 -- one of ours
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("sync %s: %w", name, err)
		}
	}
	return nil
}

// ErrOccupied means that a directory has a database already.
var ErrOccupied = errors.New("the state directory has a database already")

// restoredGap is added to the counters of tickets: names that were given after the backup was made are not given again.
const restoredGap = 1000

// Restore puts a backup into a directory where no bot works (ErrInUse) and where no database is (ErrOccupied), unless that
// may be set aside. What waited in the backup to be posted may have been posted since, and is marked so.
func Restore(ctx context.Context, dir string, backup io.Reader, replace bool) (err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err == nil && !replace {
		return ErrOccupied
	}
	coming := path + ".restoring"
	defer func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(coming + suffix) // most of them are not there
		}
	}()
	if err := receive(coming, backup); err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	if err := prepareRestored(ctx, coming); err != nil {
		return fmt.Errorf("this is no backup that the bot can work with: %w", err)
	}
	if err := syncFile(coming); err != nil {
		return err
	}
	if err := moveAway(path, path+".replaced-"+time.Now().UTC().Format(asideTime)); err != nil {
		return fmt.Errorf("set the present database aside: %w", err)
	}
	if err := os.Rename(coming, path); err != nil {
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return syncFile(path)
}

// receive writes what comes to a new file.
func receive(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // #nosec G304 -- one of ours
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// prepareRestored checks a backup, brings it to the newest schema, and notes what may have happened since it was made.
func prepareRestored(ctx context.Context, path string) (err error) {
	e := &sqliteEngine{path: path, flush: flush, boot: bootID}
	defer func() { err = errors.Join(err, e.close()) }()
	tables, err := tablesOf(ctx, path)
	if err != nil {
		return err
	}
	if tables == 0 {
		return errors.New("it is empty, or of something else")
	}
	if err := e.openFile(ctx); err != nil {
		return err
	}
	for _, change := range []string{
		`UPDATE outbox SET claimed = 1`,
		fmt.Sprintf(`UPDATE counters SET value = value + %d WHERE name IN ('ticket_site', 'ticket_tg')`, restoredGap),
		`PRAGMA wal_checkpoint(TRUNCATE)`,
	} {
		if _, err := e.writeDB.ExecContext(ctx, change); err != nil {
			return err
		}
	}
	return nil
}

// tablesOf counts what tells a bot's database from another one.
func tablesOf(ctx context.Context, path string) (n int64, err error) {
	db, err := openDB(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := list[int64](ctx, db, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('tickets', 'outbox', 'updates')`)
	if err != nil || len(found) == 0 || found[0] != 3 {
		return 0, err
	}
	return found[0], nil
}
