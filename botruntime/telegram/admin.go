// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	// memberMemory is how long it is remembered what somebody is in a chat: as long may a dismissed administrator go on.
	memberMemory = time.Minute
	// memberTimeout bounds the question; a chat's updates wait for its answer. memberTry bounds each time that it is asked.
	memberTimeout, memberTry = 5 * time.Second, 2 * time.Second
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
	for {
		admin, err := m.ask(ctx, key)
		if err == nil {
			m.remember(key, admin)
			return admin, nil
		}
		v := judge(err, chatID)
		wait := max(v.wait, firstDelay)
		until, _ := ctx.Deadline()
		if v.reason != v1alpha1.ReasonUnreachable && v.reason != v1alpha1.ReasonRateLimited || time.Until(until) < wait ||
			pause(ctx, wait, nil) != nil {
			return false, err
		}
	}
}

// ask asks Telegram.
func (m *members) ask(ctx context.Context, who membership) (admin bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, memberTry)
	defer cancel()
	var member memberInfo
	err = m.api.call(ctx, "getChatMember", map[string]int64{"chat_id": who.chatID, "user_id": who.userID}, &member)
	return member.Status == "administrator" || member.Status == "creator", err
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
