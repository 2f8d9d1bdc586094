// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

const (
	// answers is how many presses are answered at a time; answerTimeout bounds each.
	answers       = 16
	answerTimeout = 10 * time.Second
)

// worker handles the updates that the store holds, one after the other, in their order.
type worker struct {
	cfg      *Config
	store    Store
	api      *api
	handlers handlers
	saved    <-chan struct{}

	answering sync.WaitGroup
	places    chan struct{} // of those who answer presses
}

// run begins with what an earlier run left unfinished.
func (w *worker) run(ctx context.Context) {
	defer w.answering.Wait()
	retry := backoff{jitter: w.cfg.Rand}
	for ctx.Err() == nil {
		if err := w.sweep(ctx); err != nil {
			if ctx.Err() == nil {
				w.cfg.Logger.Error("cannot work on updates", "err", err)
				_ = pause(ctx, retry.next(), nil)
			}
			continue
		}
		retry.reset()
		_ = pause(ctx, forever, w.saved)
	}
}

// sweep handles all updates that wait.
func (w *worker) sweep(ctx context.Context) error {
	for after := int64(0); ; {
		updates, err := w.store.PendingUpdates(ctx, after, pollLimit)
		if err != nil || len(updates) == 0 {
			return err
		}
		for _, u := range updates {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.finish(ctx, u); err != nil {
				return err
			}
			after = u.ID
		}
	}
}

// finish handles an update and commits what follows from it. What cannot be handled at all is finished too: it must not
// stand in the way of those behind it.
func (w *worker) finish(ctx context.Context, u store.Update) error {
	r, err := w.handle(ctx, u)
	switch {
	case errors.Is(err, errBadUpdate):
		w.cfg.Logger.Error("an update cannot be handled", "update", u.ID, "why", err)
	case err != nil:
		return err
	}
	if r.answer != nil {
		w.answer(ctx, *r.answer)
	}
	return w.store.FinishUpdate(ctx, u.ID, r.effects)
}

// errBadUpdate is an update that no try will be able to handle.
var errBadUpdate = errors.New("the update cannot be read")

func (w *worker) handle(ctx context.Context, u store.Update) (r reaction, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = reaction{}, fmt.Errorf("%w: its handler panicked with a %T", errBadUpdate, p)
		}
	}()
	var update models.Update
	if err := json.Unmarshal(u.Payload, &update); err != nil {
		return reaction{}, fmt.Errorf("%w: it is not what the Bot API describes", errBadUpdate)
	}
	return w.handlers.handle(ctx, &update)
}

// answer tells the one who pressed a button that it was noticed, without holding up what follows: nobody is helped by
// a late answer, and by a missing one nobody is harmed.
func (w *worker) answer(ctx context.Context, a answer) {
	select {
	case w.places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	w.answering.Go(func() {
		defer func() { <-w.places }()
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		if _, err := w.api.bot().AnswerCallbackQuery(ctx, a.params()); err != nil {
			w.cfg.Logger.Debug("a press was not answered", "why", judge(err, w.cfg.ChatID).message)
		}
	})
}
