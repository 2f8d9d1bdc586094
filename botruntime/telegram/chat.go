// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// chat sends what waits for one chat, one after the other.
type chat struct {
	*sender
	id     int64
	staff  bool
	limit  *window
	kick   chan struct{}
	retry  backoff
	linger time.Duration
	forum  forum
	log    *slog.Logger
}

func newChat(s *sender, id int64) *chat {
	c := &chat{sender: s, id: id, staff: s.isStaff(id), kick: make(chan struct{}, 1),
		retry: backoff{jitter: s.cfg.Rand}, log: s.cfg.Logger.With("chat", id)}
	limit := s.cfg.chatLimit(id)
	c.linger = 2*limit.Window + time.Second
	if c.staff {
		c.limit = s.window(id)
	} else {
		c.limit = newWindow(limit)
	}
	return c
}

// knock has the goroutine look for jobs. The sender's mutex is held, so that the chat does not retire meanwhile.
func (c *chat) knock() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
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
		done, wait, wake = c.deliver(ctx, job, place)
		if done != nil && done.Kind == store.Migrated {
			c.move(ctx, done)
			return
		}
		if wait > 0 {
			c.advance(ctx, done, false)
			done = nil
			_ = pause(ctx, wait, wake)
		}
	}
	c.advance(ctx, done, false)
}

// move ends the work on a group that has become a supergroup, where all that waits goes from now on.
func (c *chat) move(ctx context.Context, done *store.Outcome) {
	c.log.Info("the group became a supergroup", "new chat", done.NewChatID)
	c.advance(ctx, done, false)
	c.standing.chatWorks(c.id)
	c.staff = false
	c.wake(ctx, done.NewChatID)
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
	d := newDelivery(c, job)
	for {
		wake = c.api.tokenChanged()
		finished, err := d.step(ctx)
		place.end(true)
		v := d.judge(ctx, err)
		if (v.done || v.final) && !errors.Is(err, errBadJob) {
			c.succeeded(d) // Telegram looked at the message: nothing stands between
		}
		if done, over := c.settle(d, v, v.done && (finished || err != nil)); over {
			return done, 0, nil
		}
		err = nil
		if !v.done && !v.again {
			wait = c.failed(v)
			if done := d.released(); done != nil {
				return done, wait, wake
			}
			err = pause(ctx, wait, wake)
		}
		if err != nil || place.acquire(ctx) != nil {
			return d.interrupted(), 0, nil // where that is nil, claimed it stays, and the next claim says that it may have been sent
		}
	}
}

// settle is how the job ends by a verdict; over is whether it does.
func (c *chat) settle(d *delivery, v verdict, accepted bool) (done *store.Outcome, over bool) {
	switch {
	case v.final:
		c.log.Warn("Telegram refused a message for good", "job", d.job.Seq, "kind", d.job.Kind, "ticket", d.job.Ticket.ID,
			"part", d.sent, "why", v.message)
		if d.sent == 0 {
			return d.refused(v.message), true
		}
		return d.accepted(), true
	case accepted:
		return d.accepted(), true
	case v.migrateTo != 0:
		done = d.moved(v.migrateTo)
		return done, done != nil
	case v.again:
		c.log.Warn("a message goes another way", "job", d.job.Seq, "ticket", d.job.Ticket.ID, "why", v.message)
		c.standing.fails(topicsPart, v)
	case v.done && d.justMade:
		done = d.routed()
		return done, done != nil
	}
	return nil, false
}

func (c *chat) succeeded(d *delivery) {
	c.retry.reset()
	switch {
	case !c.staff:
		return
	case c.id == c.mainChat():
		c.standing.works(senderPart)
	default:
		c.standing.chatWorks(c.id)
	}
	if d.job.ThreadID != 0 && d.job.Topic != "" {
		c.standing.works(topicsPart)
	}
}

// failed reports a call that did not succeed and returns how long to wait before the next.
func (c *chat) failed(v verdict) time.Duration {
	wait := v.wait
	if wait == 0 {
		wait = c.retry.next()
	}
	switch {
	case !c.staff:
	case c.id == c.mainChat():
		c.standing.fails(senderPart, v)
	default:
		c.standing.chatFails(c.id, v)
	}
	c.log.Warn("a message has to wait", "reason", v.reason, "why", v.message, "wait", wait.Round(time.Millisecond))
	return wait
}
