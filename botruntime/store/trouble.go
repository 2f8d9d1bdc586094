// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// What Trouble can say; the reasons are those of the bridge's conditions.
const (
	ReasonCorrupt     = "StorageCorrupt"
	ReasonFull        = "StorageFull"
	ReasonUnreachable = "StorageUnreachable"
)

// trouble is what keeps the store from writing, and the damaged databases that lie aside.
type trouble struct {
	mu sync.Mutex
	// lasting is what only another Open mends: ErrCorrupt, ErrBroken. The others are of the last commit and the last sync, each
	// of which may work while the other does not.
	lasting, commit, sync mishap
	aside                 []string // paths
}

// mishap is a fault, and the error that it came with; nil for none.
type mishap struct{ fault, why error }

// commits notes how the last commit went, by its fault: nil is for well.
func (t *trouble) commits(fault, why error) { t.note(&t.commit, fault, why) }

// syncs is the same of the last sync.
func (t *trouble) syncs(fault, why error) { t.note(&t.sync, fault, why) }

func (t *trouble) note(of *mishap, fault, why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if errors.Is(fault, ErrCorrupt) || errors.Is(fault, ErrBroken) {
		of = &t.lasting
	}
	*of = mishap{fault, why}
}

func (t *trouble) is(fault error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Is(t.lasting.fault, fault) || errors.Is(t.commit.fault, fault) || errors.Is(t.sync.fault, fault)
}

// lasts is why the store has to be opened anew; nil where it has not.
func (t *trouble) lasts() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lasting.why
}

// first is the trouble to tell of; under the lock.
func (t *trouble) first() mishap {
	for _, m := range []mishap{t.lasting, t.commit, t.sync} {
		if m.fault != nil {
			return m
		}
	}
	return mishap{}
}

// Trouble says what is wrong with the store: a reason for the bridge's condition and a message, both empty where it works
// as it should. It goes on to tell of a damaged database that was set aside until somebody has taken the file away.
func (s *Store) Trouble() (reason, message string) { return s.trouble.say() }

func (t *trouble) say() (reason, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch now := t.first(); {
	case errors.Is(now.fault, ErrCorrupt):
		return ReasonCorrupt, "the database is damaged; it is set aside when the bot starts again"
	case errors.Is(now.fault, ErrFull):
		return ReasonFull, "there is no room for the bot's database: nothing is lost, and nothing is taken, until there is"
	case errors.Is(now.fault, ErrBroken):
		return ReasonFull, "the disk did not keep the bot's database: nothing is taken until the bot has started again and has read what is there"
	case errors.Is(now.fault, ErrUnreachable):
		return ReasonUnreachable, fmt.Sprintf("the bot's database cannot be reached: %v", now.why)
	}
	t.aside = slices.DeleteFunc(t.aside, func(path string) bool { _, err := os.Stat(path); return errors.Is(err, os.ErrNotExist) })
	if len(t.aside) > 0 {
		return ReasonCorrupt, "a damaged database was set aside, and the bot began a new one: what was in " +
			filepath.Base(t.aside[0]) + " is not known to the bot; move the file away once it was looked at"
	}
	return "", ""
}

// findAside notes the damaged databases that lie in a directory.
func (t *trouble) findAside(dir string) error {
	found, err := filepath.Glob(filepath.Join(escapeGlob(dir), fileName+asideMark+"*"))
	if err != nil {
		return fmt.Errorf("look for damaged databases: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aside = slices.DeleteFunc(found, func(path string) bool {
		return strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm")
	})
	return nil
}

// escapeGlob is a path as a pattern that matches it alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
