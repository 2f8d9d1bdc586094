// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

const (
	// inHand is how many updates are in hand at a time.
	inHand = 256
	// courtesies is how many are done at a time, askedCourtesies how many may wait for that; courtesyTimeout bounds each.
	courtesies      = 16
	askedCourtesies = 1024
	courtesyTimeout = 10 * time.Second
	// maxRejections is how often an update is tried for whose sake the store undoes what follows from it.
	maxRejections = 5
)

// worker handles the updates that the store holds: those of one chat one after the other, in their order, those of
// several chats at once. An update whose handling needs an answer of Telegram's holds up its own chat alone.
type worker struct {
	cfg      *Config
	store    Store
	api      *api
	handlers handlers
	saved    <-chan struct{}

	slots         chan struct{} // of updates in hand
	places, asked chan struct{} // of courtesies
	wg            sync.WaitGroup

	mu    sync.Mutex
	taken map[int64]bool      // the ids of the updates in hand
	lanes map[int64][]arrival // what waits behind the update that a chat's goroutine handles
}

// arrival is an update in hand; update is nil where it cannot be read.
type arrival struct {
	id     int64
	update *update
}

func newWorker(cfg *Config, st Store, a *api, saved <-chan struct{}, h handlers) *worker {
	return &worker{cfg: cfg, store: st, api: a, handlers: h, saved: saved, slots: make(chan struct{}, inHand),
		places: make(chan struct{}, courtesies), asked: make(chan struct{}, askedCourtesies), taken: map[int64]bool{}, lanes: map[int64][]arrival{}}
}

// run begins with what an earlier run left unfinished.
func (w *worker) run(ctx context.Context) {
	defer w.wg.Wait()
	retry := backoff{jitter: w.cfg.Rand}
	for ctx.Err() == nil {
		if err := w.sweep(ctx); err != nil {
			if ctx.Err() == nil {
				w.cfg.Logger.Error("cannot read the updates that wait", "err", err)
				_ = pause(ctx, retry.next(), nil)
			}
			continue
		}
		retry.reset()
		_ = pause(ctx, forever, w.saved)
	}
}

// sweep hands out all updates that wait and are not in hand.
func (w *worker) sweep(ctx context.Context) error {
	for after := int64(0); ; {
		updates, err := w.store.PendingUpdates(ctx, after, pollLimit)
		if err != nil || len(updates) == 0 {
			return err
		}
		for _, u := range updates {
			if err := w.take(ctx, u); err != nil {
				return err
			}
			after = u.ID
		}
	}
}

// take puts an update into its chat's lane, and begins to work on the lane if nobody does.
func (w *worker) take(ctx context.Context, u store.Update) error {
	w.mu.Lock()
	taken := w.taken[u.ID]
	w.mu.Unlock()
	if taken {
		return nil
	}
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	a, lane := arrival{id: u.ID}, int64(0)
	if update, err := readUpdate(u.Payload); err != nil {
		w.cfg.Logger.Error("an update cannot be handled", "update", u.ID, "why", err)
	} else {
		a.update, lane = update, update.chatID()
		w.extend(ctx, w.handlers.early(update))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[u.ID] = true
	queue, busy := w.lanes[lane]
	w.lanes[lane] = append(queue, a)
	if !busy {
		w.wg.Go(func() { w.work(ctx, lane) })
	}
	return nil
}

// work handles what is in a lane until it is empty. When ctx ends it leaves the rest to the next run.
func (w *worker) work(ctx context.Context, lane int64) {
	retry := backoff{jitter: w.cfg.Rand}
	for ctx.Err() == nil {
		a, ok := w.next(lane)
		if !ok {
			return
		}
		w.persist(ctx, a, &retry)
		retry.reset()
		w.done(a)
	}
}

// persist tries an update until its end is kept. One that the store will never take what follows from ends without: the
// others of its chat wait behind it.
func (w *worker) persist(ctx context.Context, a arrival, retry *backoff) {
	rejections := 0
	for err := w.finish(ctx, a); err != nil && ctx.Err() == nil; err = w.finish(ctx, a) {
		w.cfg.Logger.Error("cannot work on an update", "update", a.id, "err", err)
		if errors.Is(err, store.ErrRejected) {
			rejections++
		}
		if rejections == maxRejections && a.update != nil {
			w.cfg.Logger.Error("an update is given up", "update", a.id, "tries", rejections)
			a.update = nil
		}
		_ = pause(ctx, retry.next(), nil)
	}
}

func (w *worker) next(lane int64) (a arrival, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := w.lanes[lane]
	if len(queue) == 0 {
		delete(w.lanes, lane)
		return a, false
	}
	w.lanes[lane] = queue[1:]
	return queue[0], true
}

func (w *worker) done(a arrival) {
	w.mu.Lock()
	delete(w.taken, a.id)
	w.mu.Unlock()
	<-w.slots
}

// finish handles an update and commits what follows from it. What cannot be handled at all is finished too: it must not
// stand in the way of those behind it.
func (w *worker) finish(ctx context.Context, a arrival) error {
	if err := w.follow(ctx, a.update); err != nil {
		return err
	}
	var c courtesy
	err := w.store.Handle(ctx, a.id, w.handling(ctx, a, &c))
	if errors.Is(err, errBadUpdate) {
		w.cfg.Logger.Error("an update cannot be handled", "update", a.id, "why", err)
		c, err = courtesy{}, w.store.Handle(ctx, a.id, func(store.Tx) error { return nil })
	}
	if err != nil {
		return err
	}
	w.extend(ctx, c)
	return nil
}

// errBadUpdate is an update that no try will be able to handle.
var errBadUpdate = errors.New("the update cannot be read")

// handling is what handles an update within a transaction, which it may have to do more than once.
func (w *worker) handling(ctx context.Context, a arrival, c *courtesy) func(store.Tx) error {
	if a.update == nil {
		return func(store.Tx) error { return nil }
	}
	known := w.handlers.prepare(ctx, a.update)
	return func(tx store.Tx) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%w: its handler panicked with a %T", errBadUpdate, p)
			}
		}()
		*c, err = w.handlers.handle(tx, a.update, known)
		return err
	}
}

// extend does what a courtesy asks for, without holding up what follows. Of more than can be done soon, some are left out.
func (w *worker) extend(ctx context.Context, c courtesy) {
	if c == (courtesy{}) {
		return
	}
	select {
	case w.asked <- struct{}{}:
	default:
		w.cfg.Logger.Debug("a courtesy was left out: too many are asked for")
		return
	}
	w.wg.Go(func() {
		defer func() { <-w.asked }()
		ctx, cancel := context.WithTimeout(ctx, courtesyTimeout)
		defer cancel()
		select {
		case w.places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-w.places }()
		if err := c.extend(ctx, w.api); err != nil {
			w.cfg.Logger.Debug("a courtesy was not taken", "why", judge(err, w.cfg.ChatID).message)
		}
	})
}
