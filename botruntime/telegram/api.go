// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// api is the Bot API with the token of the moment.
type api struct {
	url       string
	transport transport

	mu      sync.Mutex
	token   string
	changed chan struct{} // closed when the token changes
}

func newAPI(cfg *Config) *api {
	return &api{url: cfg.APIURL, transport: transport{client: cfg.HTTPClient}, token: cfg.Token, changed: make(chan struct{})}
}

// setToken has all calls from now on made with this token, and wakes those who wait for another one.
func (a *api) setToken(token string) error {
	if !tokenPattern.MatchString(token) {
		return errTokenForm
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = token
	close(a.changed)
	a.changed = make(chan struct{})
	return nil
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

// address is that of a method, with the token of the moment.
func (a *api) address(method string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.url + "/bot" + a.token + "/" + method
}
