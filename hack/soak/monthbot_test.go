// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/site"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	bottelegram "github.com/feedbackbridge/feedbackbridge/botruntime/telegram"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// monthBot is the bot of TestMonth: the parts of the real one, put together with a store whose clock is fast. It returns the exit code.
func monthBot() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := runMonthBot(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runMonthBot(ctx context.Context) (err error) {
	var o monthOrder
	if err := json.Unmarshal([]byte(os.Getenv(envMonth)), &o); err != nil {
		return err
	}
	key, err := wire.NewKey([]byte("month"))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg := bottelegram.Config{Token: telegram.TestToken, APIURL: o.API, ChatID: group, Language: "ru", Logger: log}
	st, err := store.Open(ctx, store.Options{Dir: o.Dir, Route: cfg.Route, Now: o.Clock.now,
		Retention: store.Retention{Tickets: monthRetention, Events: monthRetention, People: monthRetention}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	fast := fastStore{st, o.Clock}
	tracker := health.NewTracker("month", time.Now, nil)
	chat, err := bottelegram.New(cfg, fast, tracker)
	if err != nil {
		return err
	}
	client := site.New(site.Config{URL: o.Site, PingInterval: 20 * time.Second, MessageTTL: time.Minute, Logger: log,
		Credentials: func() site.Credentials { return site.Credentials{JWT: "month", Keys: wire.NewKeyRing(key)} }}, fast, tracker)
	var parts sync.WaitGroup
	parts.Go(func() { chat.Run(ctx) })
	parts.Go(func() {
		for wait(ctx.Done(), time.Duration(float64(hour)/o.Clock.Speed)) {
			if err := st.Sweep(ctx); err != nil && ctx.Err() == nil {
				log.Error("sweep", "err", err)
			}
		}
	})
	if err := client.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	parts.Wait()
	return nil
}

// fastStore is a store to which everything happens at the time of a fast clock. Its other half is the store's own Now.
type fastStore struct {
	*store.Store
	clock fastClock
}

// Admit shifts when frames were read, and for how long their nonces are kept.
func (s fastStore) Admit(ctx context.Context, requests []store.Request) ([]store.Verdict, error) {
	for i := range requests {
		r, now := &requests[i], s.clock.now()
		r.NonceUntil, r.ReadAt = now.Add(r.NonceUntil.Sub(r.ReadAt)), now
	}
	return s.Store.Admit(ctx, requests)
}

// Handle shifts what an update leads to.
func (s fastStore) Handle(ctx context.Context, id int64, handle func(store.Tx) error) error {
	return s.Store.Handle(ctx, id, func(tx store.Tx) error { return handle(fastTx{tx, s.clock}) })
}

type fastTx struct {
	store.Tx
	clock fastClock
}

func (t fastTx) AddTicket(tk ticket.Ticket, _ time.Time) (string, error) {
	return t.Tx.AddTicket(tk, t.clock.now())
}

func (t fastTx) SetStatus(c store.StatusChange) error {
	c.At = t.clock.now()
	return t.Tx.SetStatus(c)
}

func (t fastTx) SavePerson(p store.Person) error {
	p.SeenAt = t.clock.now()
	return t.Tx.SavePerson(p)
}

func (t fastTx) Take(kind string, personID int64, l store.Limit, _ time.Time) (bool, time.Time, error) {
	return t.Tx.Take(kind, personID, l, t.clock.now())
}

func (t fastTx) Peek(kind string, personID int64, l store.Limit, _ time.Time) (bool, time.Time, error) {
	return t.Tx.Peek(kind, personID, l, t.clock.now())
}

func (t fastTx) LinkMessage(l store.Link) error {
	l.At = t.clock.now()
	return t.Tx.LinkMessage(l)
}

func (t fastTx) Emit(e store.Event) error {
	e.At = t.clock.now()
	return t.Tx.Emit(e)
}

// inStore counts the tickets that the bot keeps.
func (m *month) inStore() (n int) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(m.dir, "state", "feedbackbridge.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	must(m.t, err)
	defer db.Close()
	must(m.t, db.QueryRow("SELECT count(*) FROM tickets").Scan(&n))
	return n
}
