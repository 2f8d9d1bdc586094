// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	firstUpdateID  = 100_000_001
	maxPending     = 100_000
	maxPollTimeout = 50 // seconds
)

// errOtherPoller is what the older of two pollers gets.
var errOtherPoller = &Error{Code: http.StatusConflict, Description: "Conflict: terminated by other getUpdates request; " +
	"make sure that only one bot instance is running"}

// update is an update as the bot will get it, encoded when it happened.
type update struct {
	id   int64
	body json.RawMessage
}

// updateQueue holds the updates that the bot has not confirmed. It is guarded by Server.mu.
type updateQueue struct {
	nextID  int64
	pending []update        // oldest first
	allowed map[string]bool // nil: the default, which is all that the simulator makes
	poll    *longPoll
}

// longPoll is the getUpdates request that waits; there is one at most.
type longPoll struct {
	wake     chan struct{} // capacity 1: something arrived
	conflict chan struct{} // closed when another request takes over
}

func newUpdateQueue() updateQueue { return updateQueue{nextID: firstUpdateID} }

// push queues an update of the given kind, unless the bot does not want that kind.
func (s *Server) push(kind string, body any) {
	q := &s.updates
	if q.allowed != nil && !q.allowed[kind] {
		return
	}
	raw, err := json.Marshal(body)
	if err != nil { // all bodies are plain data
		panic(fmt.Sprintf("encode %s update: %v", kind, err))
	}
	raw = fmt.Appendf(nil, `{"update_id":%d,"%s":%s}`, q.nextID, kind, raw)
	q.pending = append(q.pending, update{id: q.nextID, body: raw})
	q.nextID++
	if extra := len(q.pending) - maxPending; extra > 0 {
		q.pending = slices.Clone(q.pending[extra:])
	}
	if q.poll != nil {
		select {
		case q.poll.wake <- struct{}{}:
		default:
		}
	}
}

// confirm forgets the updates that an offset confirms: those before it, or for a negative one all but the last -offset.
func (q *updateQueue) confirm(offset int64) {
	n := 0
	switch {
	case offset > 0:
		n, _ = slices.BinarySearchFunc(q.pending, offset, func(u update, id int64) int { return int(u.id - id) })
	case offset < 0:
		n = max(0, len(q.pending)+int(max(offset, -maxPending)))
	}
	q.pending = q.pending[n:]
}

// first returns up to limit updates, never nil.
func (q *updateQueue) first(limit int) []json.RawMessage {
	out := make([]json.RawMessage, 0, min(limit, len(q.pending)))
	for _, u := range q.pending[:min(limit, len(q.pending))] {
		out = append(out, u.body)
	}
	return out
}

// allow remembers allowed_updates; a request without it keeps what was set before.
func (q *updateQueue) allow(raw string) {
	var kinds []string
	if raw == "" || json.Unmarshal([]byte(raw), &kinds) != nil {
		return
	}
	if q.allowed = nil; len(kinds) > 0 {
		q.allowed = map[string]bool{}
		for _, k := range kinds {
			q.allowed[k] = true
		}
	}
}

func (s *Server) getUpdates(c *call) (any, error) {
	p := c.params
	limit := p.int("limit", 100)
	if limit < 1 || limit > 100 {
		limit = 100
	}
	timeout := time.Duration(min(max(p.int("timeout", 0), 0), maxPollTimeout)) * time.Second

	s.mu.Lock()
	q := &s.updates
	q.allow(p["allowed_updates"])
	q.confirm(p.int64("offset"))
	got := q.first(limit)
	if len(got) > 0 || timeout == 0 {
		s.mu.Unlock()
		return got, nil
	}
	if q.poll != nil {
		close(q.poll.conflict)
	}
	poll := &longPoll{wake: make(chan struct{}, 1), conflict: make(chan struct{})}
	q.poll = poll
	s.stats.Polls++
	s.mu.Unlock()

	err := s.waitForUpdate(c, poll, timeout)

	s.mu.Lock()
	defer s.mu.Unlock()
	if q.poll == poll {
		q.poll = nil
	} else if err == nil { // taken over between waking and here
		err = errOtherPoller
	}
	if err != nil {
		return nil, err
	}
	return q.first(limit), nil
}

// waitForUpdate returns when poll is over: nil for updates or a timeout.
func (s *Server) waitForUpdate(c *call, poll *longPoll, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-poll.wake:
		return nil
	case <-timer.C:
		return nil
	case <-poll.conflict:
		return errOtherPoller
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-s.done:
		return nil
	}
}

func (s *Server) deleteWebhook(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.params.bool("drop_pending_updates") {
		s.updates.pending = nil
	}
	return true, nil
}

func (s *Server) getWebhookInfo(*call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return struct {
		URL                  string `json:"url"`
		HasCustomCertificate bool   `json:"has_custom_certificate"`
		PendingUpdateCount   int    `json:"pending_update_count"`
	}{PendingUpdateCount: len(s.updates.pending)}, nil
}

// tellMembership tells the bot that its standing in a chat changed.
func (s *Server) tellMembership(c *chat, old string) {
	by := s.someone()
	if u := s.person(c.ID); u != nil { // a private chat's own
		by = *u
	}
	s.push("my_chat_member", apiMemberUpdate{Chat: c.apiChat(), From: by, Date: s.clock().Unix(),
		OldMember: s.member(c, old), NewMember: s.member(c, c.BotStatus)})
}
