// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

const (
	// storeRetry is how often a bot that waits for its store tries to open it.
	storeRetry = time.Second
	// storeLook is how often the store is asked how it does.
	storeLook = 2 * time.Second
	// firstSweep is how long after its start a bot first takes away what is old, sweepEvery how often it does.
	firstSweep = time.Minute
	sweepEvery = time.Hour
)

// openStore opens the store once. A directory is in use (store.ErrInUse) or this bot's; a database may be another bot's for now.
func (b *bot) openStore(ctx context.Context) error {
	b.dsn = b.creds.current().dsn
	st, err := store.Open(ctx, b.settings.storeOptions(b.files.state, b.dsn))
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	b.useStore(st)
	if b.creds.current().dsn != b.dsn {
		return errMoved
	}
	return nil
}

// errMoved ends a bot whose credentials name another database than the one that it works with.
var errMoved = fmt.Errorf("%w: the address of its database has changed", errAnew)

// awaitStore opens the store, as soon as there is room for it, or its database answers and no other bot works there. What is
// not the bot's to heal is reported rather than crashed of.
func (b *bot) awaitStore(ctx context.Context) error {
	b.tracker.Site(false, v1alpha1.ReasonConnecting, "not begun yet: the bot waits for its store")
	for said := ""; ; {
		err := b.openStore(ctx)
		reason := b.waitsFor(err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil, reason == "" && !b.standby.Load():
			b.tracker.Storage("", "")
			return err
		}
		b.tracker.Storage(reason, fmt.Sprint(err))
		if said != err.Error() {
			said = err.Error()
			b.log.Info("waiting for the store", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(storeRetry):
		}
	}
}

// waitsFor judges an error of opening the store: whether the bot stands by for the one that works there, or else the trouble
// that keeps it waiting; "" for one that ends it.
func (b *bot) waitsFor(err error) (reason string) {
	hasDatabase := b.settings.schema != ""
	b.standby.Store(hasDatabase && errors.Is(err, store.ErrInUse))
	switch {
	case err == nil, errors.Is(err, errAnew), errors.Is(err, store.ErrInUse):
		return ""
	case errors.Is(err, store.ErrFull):
		return v1alpha1.ReasonStorageFull
	case hasDatabase:
		return v1alpha1.ReasonStorageUnreachable
	}
	return ""
}

// useStore has the bot work with a store, which is closed when all that works with it has ended.
func (b *bot) useStore(st *store.Store) {
	b.standby.Store(false)
	b.store.Store(st)
	b.tracker.CountBy(func() v1alpha1.TicketsStatus { return ticketsStatus(st.Counts()) })
	context.AfterFunc(b.parts.ctx, st.Hurry) // the parts that end then wait for it
	b.parts.closeAfter(st.Close)
}

// keepStore looks after the store while the bot works.
func (b *bot) keepStore() {
	st := b.store.Load()
	b.parts.start("store", func(ctx context.Context) error { return b.watchStore(ctx, st) })
	b.parts.start("retention", func(ctx context.Context) error { b.sweep(ctx, st); return nil })
}

// watchStore reports the store's troubles, and what became of the chat, until ctx ends.
func (b *bot) watchStore(ctx context.Context, st *store.Store) error {
	look := time.NewTicker(storeLook)
	defer look.Stop()
	chat := b.settings.telegram.ChatID
	for {
		if b.settings.schema != "" {
			// A connection that was lost while nothing was written is found out, and made anew with the lock, before it is needed. The
			// error is Trouble's to tell.
			_ = st.Alive(ctx)
		}
		reason, message := st.Trouble()
		b.tracker.Storage(reason, message)
		if effective := st.EffectiveChat(chat); effective != chat {
			b.tracker.Chat(strconv.FormatInt(effective, 10))
		}
		if st.Taken() {
			return fmt.Errorf("%w: its database was lost to another bot", errAnew)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// sweep takes away what is older than it is kept, until ctx ends.
func (b *bot) sweep(ctx context.Context, st *store.Store) {
	for next := time.After(firstSweep); ; next = time.After(sweepEvery) {
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
		if err := st.Sweep(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("cannot take away what is old", "error", err)
		}
	}
}

func ticketsStatus(c store.Counts) v1alpha1.TicketsStatus {
	status := v1alpha1.TicketsStatus{Received: c.Received, Posted: c.Posted, Pending: c.Pending, Failed: c.Failed}
	if !c.LastPosted.IsZero() {
		status.LastPostedTime = new(metav1.NewTime(c.LastPosted))
	}
	return status
}
