// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// The names of what the program's other commands ask of the running bot.
const (
	callTickets = "tickets"
	callRetry   = "retry"
)

// retryRequest asks for tickets that Telegram refused to be posted once more: one, or all of them.
type retryRequest struct {
	Ticket string `json:"ticket,omitempty"`
	All    bool   `json:"all,omitempty"`
}

// retryResult is how many will be.
type retryResult struct {
	Retried int `json:"retried"`
}

// errNotActive is what a bot says whose store another one works with.
var errNotActive = errors.New("this bot is not the active one: ask that one")

// calls are what the socket asks of the bot.
func (b *bot) calls() health.Calls {
	return health.Calls{
		Alive: func(ctx context.Context) error {
			if st := b.store.Load(); st != nil {
				return st.Alive(ctx)
			}
			return nil // it waits
		},
		Test:    b.tests.send,
		Standby: b.standby.Load,
		Named: map[string]func(context.Context, json.RawMessage) (any, error){
			callTickets: answered(b, func(ctx context.Context, st *store.Store, filter store.Filter) (any, error) {
				filter.Limit = min(max(filter.Limit, 1), maxListed)
				return st.ListTickets(ctx, filter)
			}),
			callRetry:  answered(b, retry),
			callImport: answered(b, importLegacy),
		},
	}
}

// answered is a call that the store answers.
func answered[A any](b *bot, call func(context.Context, *store.Store, A) (any, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, text json.RawMessage) (any, error) {
		var arguments A
		if err := json.Unmarshal(text, &arguments); err != nil {
			return nil, fmt.Errorf("read the arguments: %w", err)
		}
		st := b.store.Load()
		if st == nil {
			return nil, errNotActive
		}
		return call(ctx, st, arguments)
	}
}

func retry(ctx context.Context, st *store.Store, r retryRequest) (any, error) {
	if r.All {
		n, err := st.RetryAll(ctx)
		return retryResult{Retried: n}, err
	}
	switch again, err := st.RetryTicket(ctx, r.Ticket); {
	case errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("there is no ticket %s", r.Ticket)
	case err != nil:
		return nil, err
	case again:
		return retryResult{Retried: 1}, nil
	default:
		return retryResult{}, nil
	}
}
