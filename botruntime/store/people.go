// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"time"
)

// LimitFeedback is the kind of the limit on the tickets that one person may write.
const LimitFeedback = "feedback"

// Person returns what is known of a person: Tx says more.
func (u *unit) Person(id int64) (Person, error) {
	p := Person{ID: id}
	var banned, told, seen int64
	if _, err := u.tx.get(`SELECT language, dialog, banned_at, banned_by, told_at, blocked, seen_at FROM persons WHERE id = ?`,
		[]any{id}, &p.Language, &p.Dialog, &banned, &p.BannedBy, &told, &p.Blocked, &seen); err != nil {
		return p, fmt.Errorf("read what is known of a person: %w", err)
	}
	p.BannedAt, p.ToldAt, p.SeenAt = fromStamp(banned), fromStamp(told), fromStamp(seen)
	return p, nil
}

// SavePerson keeps a person: Tx says more.
func (u *unit) SavePerson(p Person) error {
	if _, err := u.tx.exec(`INSERT INTO persons (id, language, dialog, banned_at, banned_by, told_at, blocked, seen_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET language = excluded.language, dialog = excluded.dialog,
		banned_at = excluded.banned_at, banned_by = excluded.banned_by, told_at = excluded.told_at, blocked = excluded.blocked,
		seen_at = excluded.seen_at`,
		p.ID, text(p.Language), p.Dialog, stamp(p.BannedAt), text(p.BannedBy), stamp(p.ToldAt), bit(p.Blocked), stamp(p.SeenAt)); err != nil {
		return fmt.Errorf("keep what is known of a person: %w", err)
	}
	return nil
}

// Peek looks at a limit: Tx says more.
func (u *unit) Peek(kind string, personID int64, l Limit, at time.Time) (ok bool, next time.Time, err error) {
	now, window := millis(at), l.Window.Milliseconds()
	if l.Uses <= 0 {
		return false, fromMillis(now + window), nil
	}
	// The newest uses of the window, as many as it may have: where it is full, the oldest of them makes room. What is later
	// than now is of a clock that was wrong.
	rows, err := u.tx.rows(`SELECT at FROM uses WHERE kind = ? AND person = ? AND at > ? AND at <= ? ORDER BY at DESC LIMIT ?`,
		text(kind), personID, now-window, now, l.Uses)
	uses, err := collect(rows, err, scanOne[int64])
	switch {
	case err != nil:
		return false, time.Time{}, fmt.Errorf("look at a limit: %w", err)
	case len(uses) == l.Uses:
		return false, fromMillis(uses[len(uses)-1] + window), nil
	}
	return true, time.Time{}, nil
}

// Take counts a use against a limit: Tx says more.
func (u *unit) Take(kind string, personID int64, l Limit, at time.Time) (ok bool, next time.Time, err error) {
	if ok, next, err = u.Peek(kind, personID, l, at); err != nil || !ok {
		return false, next, err
	}
	if err := addUse(u.tx, u.store.number(), kind, personID, at, at.Add(l.Window)); err != nil {
		return false, time.Time{}, fmt.Errorf("count a use: %w", err)
	}
	return true, time.Time{}, nil
}

// addUse counts one use, until it leaves its window.
func addUse(tx *txn, seq int64, kind string, personID int64, at, until time.Time) error {
	_, err := tx.exec(`INSERT INTO uses (kind, person, at, seq, until) VALUES (?, ?, ?, ?, ?)`,
		text(kind), personID, millis(at), seq, millis(until))
	return err
}
