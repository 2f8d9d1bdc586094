// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// Bot is the bot's Telegram side.
type Bot struct {
	api      *api
	standing *standing
	sender   *sender
	parts    []interface{ run(context.Context) }
}

// New makes a Bot; it calls nobody before Run.
func New(cfg Config, st Store, health Health) (*Bot, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	a := newAPI(&cfg)
	standing := &standing{health: health}
	saved := make(chan struct{}, 1)
	sender, who := newSender(&cfg, st, a, standing), newIdentity(cfg.Token)
	effective := func(id int64) int64 { return st.EffectiveChat(id) }
	handlers := handlers{cfg: &cfg, api: a, identity: who, effectiveChat: effective,
		members: newMembers(a, time.Now), now: time.Now, stats: st.TicketStats}
	return &Bot{api: a, standing: standing, sender: sender, parts: []interface{ run(context.Context) }{
		&profiler{cfg: &cfg, store: st, api: a, standing: standing, health: health, identity: who},
		sender,
		&poller{cfg: &cfg, store: st, api: a, standing: standing, saved: saved},
		newWorker(&cfg, st, a, saved, handlers),
		&registrar{cfg: &cfg, api: a, effectiveChat: effective},
	}}, nil
}

// Run works until ctx ends, and then a few seconds more at most: calls that were begun are ended and recorded. The store
// has to stay open until it returns.
func (b *Bot) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, p := range b.parts {
		wg.Go(func() { p.run(ctx) })
	}
	wg.Wait()
}

// SetToken has the Bot go on with another token. One that cannot be a token is an error; the Bot keeps what it had then.
func (b *Bot) SetToken(token string) error {
	if err := b.api.setToken(token); err != nil {
		b.standing.fails(profilePart, verdict{reason: v1alpha1.ReasonTokenRefused, message: err.Error()})
		return err
	}
	return nil
}
