// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

const (
	// databaseRetry is how often a bot that waits for its database looks whether it may work with it.
	databaseRetry = time.Second
	// storeLook is how often the store is asked how it does.
	storeLook = 2 * time.Second
	// firstSweep is how long after its start a bot first takes away what is old, sweepEvery how often it does.
	firstSweep = time.Minute
	sweepEvery = time.Hour
)

// openDirectory opens the store in the state directory, which is in use (store.ErrInUse) or this bot's.
func (b *bot) openDirectory(ctx context.Context) error {
	st, err := store.Open(ctx, b.settings.storeOptions(b.files.state, ""))
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	b.useStore(st)
	return nil
}

// awaitDatabase opens the store in the database, as soon as that answers and no other bot works there. A database that does
// not answer is reported rather than crashed of: it is not the bot's to heal.
func (b *bot) awaitDatabase(ctx context.Context) error {
	b.tracker.Site(false, v1alpha1.ReasonConnecting, "not begun yet: the bot waits for its database")
	for said := ""; ; {
		b.dsn = b.creds.current().dsn
		st, err := store.Open(ctx, b.settings.storeOptions("", b.dsn))
		if err == nil {
			b.tracker.Storage("", "")
			b.useStore(st)
			if b.creds.current().dsn != b.dsn {
				return fmt.Errorf("%w: the address of its database has changed", errAnew)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		inUse := errors.Is(err, store.ErrInUse)
		b.standby.Store(inUse)
		level := slog.LevelWarn
		if inUse {
			level = slog.LevelInfo
			b.tracker.Storage("", "")
		} else {
			b.tracker.Storage(v1alpha1.ReasonStorageUnreachable, "the bot's database cannot be reached: "+err.Error())
		}
		if said != err.Error() {
			said = err.Error()
			b.log.Log(ctx, level, "waiting for the database", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(databaseRetry):
		}
	}
}

// useStore has the bot work with a store, which is closed when all that works with it has ended.
func (b *bot) useStore(st *store.Store) {
	b.standby.Store(false)
	b.store.Store(st)
	b.tracker.CountBy(func() v1alpha1.TicketsStatus { return ticketsStatus(st.Counts()) })
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
