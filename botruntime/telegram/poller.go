// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

const (
	pollTimeout  = 50 * time.Second
	pollPatience = 15 * time.Second // on top of it, for the answer's way
	pollLimit    = 100
	// conflictMemory is how long polls have to go well until another poller counts as gone.
	conflictMemory = 30 * time.Second
)

// allowedUpdates are the kinds of updates that the bot does something with.
var allowedUpdates = []string{models.AllowedUpdateMessage, models.AllowedUpdateEditedMessage, models.AllowedUpdateChannelPost,
	models.AllowedUpdateEditedChannelPost, models.AllowedUpdateCallbackQuery, models.AllowedUpdateMyChatMember}

// poller takes updates from Telegram into the store. The offset that confirms them goes out after they are durable.
type poller struct {
	cfg      *Config
	store    Store
	api      *api
	standing *standing
	saved    chan<- struct{} // signalled (capacity 1) when updates were saved

	offset    int64
	works     bool      // the last poll succeeded, or was ended by another poller's
	conflicts int       // without conflictMemory between them
	conflict  time.Time // the last of them
}

func (p *poller) run(ctx context.Context) {
	retry := backoff{jitter: p.cfg.Rand}
	p.start(ctx, &retry)
	for ctx.Err() == nil {
		changed := p.api.tokenChanged()
		updates, err := p.poll(ctx)
		if err == nil {
			p.succeeded()
			retry.reset()
			p.save(ctx, updates)
			continue
		}
		if ctx.Err() == nil {
			v := p.failed(err)
			_ = pause(ctx, max(retry.next(), v.wait), changed)
		}
	}
}

// start finds where the last run left off.
func (p *poller) start(ctx context.Context, retry *backoff) {
	for ctx.Err() == nil {
		offset, err := p.store.NextOffset(ctx)
		if err == nil {
			p.offset = offset
			retry.reset()
			return
		}
		p.cfg.Logger.Error("cannot read which updates were taken", "err", err)
		_ = pause(ctx, retry.next(), nil)
	}
}

// poll asks for updates, and waits for some unless the last poll failed: then the question is whether this one does.
func (p *poller) poll(ctx context.Context) ([]store.Update, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout+pollPatience)
	defer cancel()
	params := pollParams{Offset: p.offset, Limit: pollLimit, AllowedUpdates: allowedUpdates}
	if p.works {
		params.Timeout = int(pollTimeout / time.Second)
	}
	return p.api.poll(ctx, params)
}

func (p *poller) succeeded() {
	p.works = true
	if p.conflicts > 0 && time.Since(p.conflict) < conflictMemory {
		return // two pollers take turns
	}
	p.conflicts = 0
	p.standing.works(pollerPart)
}

// failed reports a poll that did not succeed. One conflict is what a roll-out or a look by hand looks like.
func (p *poller) failed(err error) verdict {
	v := judge(err, p.cfg.ChatID)
	p.works = v.reason == v1alpha1.ReasonAnotherPoller
	if p.works {
		p.conflict = time.Now()
		if p.conflicts++; p.conflicts == 1 {
			return v
		}
	}
	p.standing.fails(pollerPart, v)
	p.cfg.Logger.Warn("cannot take updates", "reason", v.reason, "why", v.message)
	return v
}

// save makes updates durable and moves the offset behind them. It tries until it succeeds: what is not saved must not be
// confirmed.
func (p *poller) save(ctx context.Context, updates []store.Update) {
	if len(updates) == 0 {
		// Everything before the offset is confirmed. Without one, ids may start anew, as they do after a quiet week.
		p.offset = 0
		return
	}
	retry := backoff{jitter: p.cfg.Rand}
	for {
		err := p.store.SaveUpdates(ctx, updates)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		p.cfg.Logger.Error("cannot save updates", "count", len(updates), "err", err)
		_ = pause(ctx, retry.next(), nil)
	}
	p.offset = updates[len(updates)-1].ID + 1
	select {
	case p.saved <- struct{}{}:
	default:
	}
}
