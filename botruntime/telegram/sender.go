// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
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
	staff    *window // of the staff's chat

	mu    sync.Mutex
	chats map[int64]*chat
	wg    sync.WaitGroup
}

func newSender(cfg *Config, st Store, a *api, standing *standing) *sender {
	return &sender{cfg: cfg, store: st, api: a, standing: standing, overall: newWindow(cfg.Limits.Overall),
		staff: newWindow(cfg.chatLimit(cfg.ChatID)), chats: map[int64]*chat{}}
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
			s.wake(ctx, s.cfg.ChatID)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	c, running := s.chats[id]
	if !running {
		c = newChat(s, id)
		s.chats[id] = c
		s.wg.Go(func() { c.run(ctx) })
	}
	select {
	case c.kick <- struct{}{}:
	default:
	}
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

// chat sends what waits for one chat, one after the other.
type chat struct {
	*sender
	id     int64
	staff  bool
	limit  *window
	kick   chan struct{}
	retry  backoff
	linger time.Duration
	log    *slog.Logger
}

func newChat(s *sender, id int64) *chat {
	c := &chat{sender: s, id: id, staff: id == s.cfg.ChatID, kick: make(chan struct{}, 1),
		retry: backoff{jitter: s.cfg.Rand}, log: s.cfg.Logger.With("chat", id)}
	limit := s.cfg.chatLimit(id)
	c.limit, c.linger = newWindow(limit), 2*limit.Window+time.Second
	if c.staff {
		c.limit = s.staff
	}
	return c
}

// run sends until ctx ends; in a chat other than the staff's, until nothing has come for so long that its limit
// remembers nothing.
func (c *chat) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-c.kick:
			c.drain(ctx)
		case <-ctx.Done():
		case <-c.idle():
			if c.retire(c) {
				return
			}
		}
	}
}

func (c *chat) idle() <-chan time.Time {
	if c.staff {
		return nil
	}
	return time.After(c.linger)
}

// drain sends until nothing waits. How a job ended and the claim of the next one share a commit where the limits allow
// the next call at once; a job is never claimed before its call may be made.
func (c *chat) drain(ctx context.Context) {
	var done *store.Outcome
	place := slot{chat: c.limit, overall: c.overall}
	for ctx.Err() == nil {
		if !place.try() {
			c.advance(ctx, done, false)
			if done = nil; place.acquire(ctx) != nil {
				return
			}
		}
		job := c.advance(ctx, done, true)
		if job == nil {
			place.end(false)
			return
		}
		var wait time.Duration
		var wake <-chan struct{}
		if done, wait, wake = c.deliver(ctx, job, place); wait > 0 {
			c.advance(ctx, done, false)
			done = nil
			_ = pause(ctx, wait, wake)
		}
	}
	c.advance(ctx, done, false)
}

// advance is the store's, tried until it succeeds. When ctx ends it returns nil, and an outcome has had one more chance.
func (c *chat) advance(ctx context.Context, done *store.Outcome, claim bool) *store.Job {
	if done == nil && !claim {
		return nil
	}
	retry := backoff{jitter: c.cfg.Rand}
	for {
		stopping := ctx.Err() != nil
		job, err := c.advanceOnce(ctx, done, claim)
		switch {
		case err == nil:
			return job
		case stopping:
			if done != nil {
				c.log.Error("cannot record what Telegram said; the message may be repeated", "job", done.Seq, "err", err)
			}
			return nil
		}
		if ctx.Err() == nil {
			c.log.Error("cannot record or claim a job", "err", err)
			_ = pause(ctx, retry.next(), nil)
		}
	}
}

func (c *chat) advanceOnce(ctx context.Context, done *store.Outcome, claim bool) (*store.Job, error) {
	if ctx.Err() != nil { // stopping: record only
		if done == nil {
			return nil, ctx.Err()
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
		defer cancel()
		claim = false
	}
	return c.store.Advance(ctx, c.id, done, claim)
}

// deliver makes the calls of a claimed job. It owns the place that was taken for the first. It returns how the job ended,
// or nil when ctx ended before that was known; and how long the chat has to wait then, or until wake is closed.
func (c *chat) deliver(ctx context.Context, job *store.Job, place slot) (done *store.Outcome, wait time.Duration, wake <-chan struct{}) {
	d := &delivery{api: c.api, show: c.cfg.show(), job: job}
	for {
		wake = c.api.tokenChanged()
		finished, err := d.step(ctx)
		place.end(true)
		v := d.judge(err)
		if (v.done || v.final) && !errors.Is(err, errBadJob) {
			c.succeeded() // Telegram looked at the message: nothing stands between
		}
		switch {
		case v.final:
			c.log.Warn("Telegram refused a message for good", "job", job.Seq, "kind", job.Kind, "ticket", job.Ticket.ID,
				"part", d.sent, "why", v.message)
			if d.sent == 0 {
				return d.refused(v.message), 0, nil
			}
			return d.accepted(), 0, nil
		case v.done && (finished || err != nil):
			return d.accepted(), 0, nil
		case !v.done:
			wait = c.failed(v)
			if done := d.released(); done != nil {
				return done, wait, wake
			}
			err = pause(ctx, wait, wake)
		}
		if err != nil || place.acquire(ctx) != nil {
			return nil, 0, nil // claimed it stays, and the next claim says that it may have been sent
		}
	}
}

func (c *chat) succeeded() {
	c.retry.reset()
	if c.staff {
		c.standing.works(senderPart)
	}
}

// failed reports a call that did not succeed and returns how long to wait before the next.
func (c *chat) failed(v verdict) time.Duration {
	wait := v.wait
	if wait == 0 {
		wait = c.retry.next()
	}
	if c.staff {
		c.standing.fails(senderPart, v)
	}
	c.log.Warn("a message has to wait", "reason", v.reason, "why", v.message, "wait", wait.Round(time.Millisecond))
	return wait
}
