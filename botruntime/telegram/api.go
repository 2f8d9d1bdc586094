// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/go-telegram/bot"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// api is the Bot API with the token of the moment.
type api struct {
	url       string
	transport transport

	mu      sync.Mutex
	token   string
	client  *bot.Bot
	changed chan struct{} // closed when the token changes
}

func newAPI(cfg *Config) (*api, error) {
	a := &api{url: cfg.APIURL, transport: transport{client: cfg.HTTPClient}, changed: make(chan struct{})}
	client, err := a.newClient(cfg.Token)
	a.token, a.client = cfg.Token, client
	return a, err
}

func (a *api) newClient(token string) (*bot.Bot, error) {
	client, err := bot.New(token, bot.WithSkipGetMe(), bot.WithServerURL(a.url), bot.WithHTTPClient(0, a.transport),
		// What it tells this handler, it also returns from the call.
		bot.WithErrorsHandler(func(error) {}))
	if err != nil {
		return nil, fmt.Errorf("make the Bot API client: %w", err)
	}
	return client, nil
}

// setToken has all calls from now on made with this token, and wakes those who wait for another one.
func (a *api) setToken(token string) error {
	if !tokenPattern.MatchString(token) {
		return errTokenForm
	}
	client, err := a.newClient(token)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.client = token, client
	close(a.changed)
	a.changed = make(chan struct{})
	return nil
}

// bot is the client with the token of the moment.
func (a *api) bot() *bot.Bot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.client
}

// tokenChanged is closed when the token is set again.
func (a *api) tokenChanged() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// pollParams are getUpdates' parameters. Timeout is in seconds.
type pollParams struct {
	Offset         int64    `json:"offset,omitempty"`
	Limit          int      `json:"limit"`
	Timeout        int      `json:"timeout"`
	AllowedUpdates []string `json:"allowed_updates"`
}

// poll calls getUpdates and returns the updates as they came: what is stored is what Telegram said.
func (a *api) poll(ctx context.Context, params pollParams) ([]store.Update, error) {
	var raw []json.RawMessage
	if err := a.call(ctx, "getUpdates", params, &raw); err != nil {
		return nil, err
	}
	updates := make([]store.Update, 0, len(raw))
	for _, body := range raw {
		var head struct {
			ID int64 `json:"update_id"`
		}
		if err := json.Unmarshal(body, &head); err != nil || head.ID <= 0 {
			return nil, &outageError{What: "it answers with an update that has no id", Err: err}
		}
		updates = append(updates, store.Update{ID: head.ID, Payload: body})
	}
	return updates, nil
}

// call calls a method without go-telegram/bot, whose types refuse what Telegram has invented since. Of the result, only
// what the caller names is read.
func (a *api) call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	a.mu.Lock()
	address := a.url + "/bot" + a.token + "/" + method
	a.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request for %s: %w", method, withoutURL(err))
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.transport.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	answer := struct {
		OK     bool `json:"ok"`
		Result any  `json:"result"`
	}{Result: result}
	if err := errors.Join(json.NewDecoder(resp.Body).Decode(&answer), resp.Body.Close()); err != nil || !answer.OK {
		return &outageError{Reached: true, What: "its answer to " + method + " cannot be read", Err: err}
	}
	return nil
}
