// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"sync"
	"time"
)

const (
	// sweepPause is how long jobs for other chats than the staff's may wait to be seen together with those that follow.
	sweepPause = 20 * time.Millisecond
	// recordPatience is how long recording an outcome may take when the bot is to stop.
	recordPatience = 5 * time.Second
)

// privateLimit is Telegram's limit for a private chat.
var privateLimit = Limit{Messages: 1, Window: time.Second}

// sender empties the store's outbox: one goroutine a chat, so that a slow chat holds up no other.
type sender struct {
	cfg      *Config
	store    Store
	api      *api
	standing *standing
	overall  *window

	mu      sync.Mutex
	chats   map[int64]*chat
	windows map[int64]*window // of the staff's chats, where more than their goroutines send
	wg      sync.WaitGroup
}

func newSender(cfg *Config, st Store, a *api, standing *standing) *sender {
	return &sender{cfg: cfg, store: st, api: a, standing: standing, overall: newWindow(cfg.Limits.Overall),
		chats: map[int64]*chat{}, windows: map[int64]*window{}}
}

// mainChat is the staff's chat: the one of the spec, or what it has become.
func (s *sender) mainChat() int64 { return s.store.EffectiveChat(s.cfg.ChatID) }

// isStaff tells whether tickets are posted to a chat.
func (s *sender) isStaff(id int64) bool {
	if id == s.mainChat() {
		return true
	}
	for _, r := range s.cfg.Routes {
		if id == s.store.EffectiveChat(r.ChatID) {
			return true
		}
	}
	return false
}

// window is that of one of the staff's chats.
func (s *sender) window(id int64) *window {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, known := s.windows[id]
	if !known {
		w = newWindow(s.cfg.chatLimit(id))
		s.windows[id] = w
	}
	return w
}

// run returns when ctx has ended and every call that was under way is recorded.
func (s *sender) run(ctx context.Context) {
	defer s.wg.Wait()
	retry := backoff{jitter: s.cfg.Rand}
	due := time.After(0) // the next look at which chats jobs wait for
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.store.OutboxReady():
			s.wake(ctx, s.mainChat())
			if due == nil {
				due = time.After(sweepPause)
			}
		case <-due:
			due = nil
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Error("cannot read which chats jobs wait for", "err", err)
				due = time.After(retry.next())
				continue
			}
			retry.reset()
		}
	}
}

// sweep wakes every chat that jobs wait for.
func (s *sender) sweep(ctx context.Context) error {
	waiting, err := s.store.WaitingChats(ctx)
	if err != nil {
		return err
	}
	for _, id := range waiting {
		s.wake(ctx, id)
	}
	return nil
}

// wake has a chat's goroutine look for jobs, and starts it if there is none.
func (s *sender) wake(ctx context.Context, id int64) {
	if s.knock(id) {
		return
	}
	c := newChat(s, id)
	c.kick <- struct{}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, running := s.chats[id]; running {
		other.knock()
		return
	}
	s.chats[id] = c
	s.wg.Go(func() { c.run(ctx) })
}

// knock wakes a chat's goroutine; false where there is none.
func (s *sender) knock(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, running := s.chats[id]
	if running {
		c.knock()
	}
	return running
}

// retire ends the part of a chat, unless it was woken meanwhile.
func (s *sender) retire(c *chat) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.kick) > 0 {
		return false
	}
	delete(s.chats, c.id)
	return true
}
