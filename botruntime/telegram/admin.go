// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	// memberMemory is how long it is remembered what somebody is in a chat: as long may a dismissed administrator go on.
	memberMemory = time.Minute
	// memberTimeout bounds the question; a chat's updates wait for its answer.
	memberTimeout = 5 * time.Second
	// mostMembers bounds how many are remembered.
	mostMembers = 1000
)

// members tells who is an administrator of which chat.
type members struct {
	api *api
	now func() time.Time

	mu    sync.Mutex
	known map[membership]standingOf
}

type membership struct{ chatID, userID int64 }

type standingOf struct {
	admin bool
	until time.Time
}

func newMembers(a *api, now func() time.Time) *members {
	return &members{api: a, now: now, known: map[membership]standingOf{}}
}

// administrator tells whether a person is an administrator of a chat.
func (m *members) administrator(ctx context.Context, chatID, userID int64) (bool, error) {
	key := membership{chatID, userID}
	if admin, ok := m.remembered(key); ok {
		return admin, nil
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	var member memberInfo
	if err := m.api.call(ctx, "getChatMember", map[string]int64{"chat_id": chatID, "user_id": userID}, &member); err != nil {
		return false, err
	}
	admin := member.Status == "administrator" || member.Status == "creator"
	m.remember(key, admin)
	return admin, nil
}

// isHidden tells whether Telegram does not tell this bot who is an administrator, and will not next time either: of others it
// tells only administrators where a chat hides its members.
func isHidden(err error) bool {
	var refusal *refusalError
	return errors.As(err, &refusal) && (refusal.Code == http.StatusBadRequest || refusal.Code == http.StatusForbidden)
}

func (m *members) remembered(key membership) (admin, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.known[key]
	return s.admin, ok && m.now().Before(s.until)
}

func (m *members) remember(key membership, admin bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= mostMembers {
		clear(m.known)
	}
	m.known[key] = standingOf{admin: admin, until: m.now().Add(memberMemory)}
}
