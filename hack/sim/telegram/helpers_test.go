// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const group = int64(-1001234567890)

var (
	support = telegram.User{ID: 1001, FirstName: "Support", Username: "support_desk"}
	visitor = telegram.User{ID: 1003, FirstName: "Visitor"}
)

// clock is a clock that only moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_760_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// sim is a Server with one group, behind a real listener.
type sim struct {
	*telegram.Server
	t   testing.TB
	url string
}

func newSim(t testing.TB, cfg telegram.Config) *sim {
	t.Helper()
	s := telegram.New(cfg)
	if err := s.AddChat(telegram.Chat{ID: group, Title: "Feedback"}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); web.Close() })
	return &sim{Server: s, t: t, url: web.URL}
}

// answer is an envelope of the Bot API.
type answer struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter      int   `json:"retry_after"`
		MigrateToChatID int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// try calls a method with parameters given as name, value, ...
func (s *sim) try(ctx context.Context, method string, pairs ...string) (a answer, err error) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/bot"+telegram.TestToken+"/"+method,
		strings.NewReader(form.Encode()))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

func (s *sim) call(method string, pairs ...string) answer {
	s.t.Helper()
	a, err := s.try(s.t.Context(), method, pairs...)
	if err != nil {
		s.t.Fatalf("%s: %v", method, err)
	}
	return a
}

// send posts a text to the group.
func (s *sim) send(text string, pairs ...string) answer {
	s.t.Helper()
	return s.call("sendMessage", append([]string{"chat_id", "-1001234567890", "text", text}, pairs...)...)
}

// wants fails the test unless a call was refused with the given words; "" wants success.
func (s *sim) wants(a answer, description string) {
	s.t.Helper()
	if a.Description != description || a.OK != (description == "") {
		s.t.Errorf("got %d %q, want %q", a.ErrorCode, a.Description, description)
	}
}

// updates decodes the ids and kinds of a getUpdates answer.
func (s *sim) updates(a answer) (ids []int64, kinds []string) {
	s.t.Helper()
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(a.Result, &list); err != nil {
		s.t.Fatalf("%v in %s %s", err, a.Result, a.Description)
	}
	for _, u := range list {
		for key, value := range u {
			if key != "update_id" {
				kinds = append(kinds, key)
				continue
			}
			var id int64
			if err := json.Unmarshal(value, &id); err != nil {
				s.t.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	return ids, kinds
}

func (s *sim) say(chatID int64, text string, by telegram.User) int {
	s.t.Helper()
	id, err := s.Say(chatID, text, by)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// until waits for what nobody in a chat can see, so that WaitFor does not serve.
func (s *sim) until(condition func() bool) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatal("it did not happen")
		}
	}
}

// soon is a context for waits that should end at once.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
