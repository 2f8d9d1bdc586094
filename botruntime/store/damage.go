// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// suspectMark follows the name of a database in that of an empty file: damage showed while a bot worked with it.
const suspectMark = ".suspect"

// suspect leaves the mark that the next check heeds.
func (e *sqliteEngine) suspect() error {
	f, err := os.OpenFile(e.path+suspectMark, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the database as suspect: %w", err)
	}
	return f.Close()
}

// check is ErrCorrupt where SQLite finds damage. It looks for indexes that disagree with their tables, which takes longer, where the
// mark says that there is damage.
func (e *sqliteEngine) check(ctx context.Context) error {
	_, err := os.Stat(e.path + suspectMark)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	query, suspect := "PRAGMA quick_check(1)", err == nil
	if suspect {
		query = "PRAGMA integrity_check(1)"
	}
	found, err := list[string](ctx, e.writeDB, query)
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0] != "ok" {
		return fmt.Errorf("%w: %.200s", ErrCorrupt, strings.Join(found, "; "))
	}
	if suspect {
		return os.Remove(e.path + suspectMark)
	}
	return nil
}

// asideMark stands between a database's name and the time at which it was set aside, which is written by asideTime.
const (
	asideMark = ".corrupt-"
	asideTime = "20060102T150405.000Z"
)

// setAside renames a damaged database.
func setAside(path string, now time.Time) error {
	return moveAway(path, path+asideMark+now.UTC().Format(asideTime))
}

// moveAway renames a database with its log, so that it still opens as one. It need not be there.
func moveAway(path, aside string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
