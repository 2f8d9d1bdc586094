// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"time"
)

// LimitFeedback is the kind of the limit on the tickets that one person may write.
const LimitFeedback = "feedback"

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

func (u *unit) Take(kind string, personID int64, l Limit, at time.Time) (ok bool, next time.Time, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("count a use: %w", err)
		}
	}()
	kind = text(kind)
	now, window := millis(at), l.Window.Milliseconds()
	// The newest uses of the window, as many as it may have: where it is full, the oldest of them makes room. What is later
	// than now is of a clock that was wrong.
	rows, err := u.tx.rows(`SELECT at FROM uses WHERE kind = ? AND person = ? AND at > ? AND at <= ? ORDER BY at DESC LIMIT ?`,
		kind, personID, now-window, now, max(l.Uses, 1))
	uses, err := collect(rows, err, scanOne[int64])
	if err != nil {
		return false, time.Time{}, err
	}
	if l.Uses <= 0 {
		return false, fromMillis(now + window), nil
	}
	if len(uses) == l.Uses {
		return false, fromMillis(uses[len(uses)-1] + window), nil
	}
	_, err = u.tx.exec(`INSERT INTO uses (kind, person, at, seq, until) VALUES (?, ?, ?, ?, ?)`, kind, personID, now, u.store.number(), now+window)
	return err == nil, time.Time{}, err
}
