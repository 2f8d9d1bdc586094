// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// sendOver posts a message to a Bot API server over the network, as a post goes.
func sendOver(t *testing.T, address string, patience time.Duration) error {
	t.Helper()
	cfg := Config{Token: sim.TestToken, APIURL: address, ChatID: group}
	a := newAPI(mustComplete(t, cfg))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := a.deliver(ctx, "sendMessage", messageParams{ChatID: group, Text: "x"})
	return err
}

func TestFailuresAreToldApart(t *testing.T) {
	answers := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = w.Write([]byte(body)) }
	}
	refuses := func(code int, description, more string) http.HandlerFunc {
		return answers(code, fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q%s}`, code, description, more))
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    verdict
		says    string
	}{
		"401":              {refuses(401, "Unauthorized", ""), verdict{reason: v1alpha1.ReasonTokenRefused}, "BotFather"},
		"404":              {refuses(404, "Not Found", ""), verdict{reason: v1alpha1.ReasonTokenRefused}, "BotFather"},
		"kicked":           {refuses(403, "Forbidden: bot was kicked from the supergroup chat", ""), verdict{reason: v1alpha1.ReasonNoRights}, "kicked"},
		"429":              {refuses(429, "Too Many Requests", `,"parameters":{"retry_after":7}`), verdict{reason: v1alpha1.ReasonRateLimited, wait: 7 * time.Second}, "7s"},
		"429 without time": {refuses(429, "Too Many Requests", ""), verdict{reason: v1alpha1.ReasonRateLimited, wait: time.Second}, "1s"},
		"migrated":         {refuses(400, "Bad Request: group chat was upgraded to a supergroup chat", `,"parameters":{"migrate_to_chat_id":-100777}`), verdict{migrateTo: -100777, reason: v1alpha1.ReasonChatMigrated}, `set spec.telegram.chatID to "-100777"`},
		"no chat":          {refuses(400, "Bad Request: chat not found", ""), verdict{reason: v1alpha1.ReasonChatNotFound}, "add the bot"},
		"no rights":        {refuses(400, "Bad Request: not enough rights to send text messages to the chat", ""), verdict{reason: v1alpha1.ReasonNoRights}, "let it send"},
		"no photos":        {refuses(400, "Bad Request: not enough rights to send photos to the chat", ""), verdict{final: true}, "photos"},
		"topic closed":     {refuses(400, "Bad Request: TOPIC_CLOSED", ""), verdict{topic: topicClosed}, ""},
		"the message":      {refuses(400, `Bad Request: can't parse entities: unsupported start tag "secret" at byte offset 1`, ""), verdict{final: true}, "parse entities"},
		"too long":         {refuses(400, "Bad Request: message is too long", ""), verdict{final: true}, "too long"},
		"unchanged":        {refuses(400, "Bad Request: message is not modified: bla", ""), verdict{done: true}, ""},
		"413":              {refuses(413, "Request Entity Too Large", ""), verdict{final: true}, "Too Large"},
		"500":              {refuses(500, "Internal Server Error", ""), verdict{maybe: true, reason: v1alpha1.ReasonUnreachable}, "HTTP 500"},
		"502 in HTML":      {answers(502, "<html>"), verdict{maybe: true, reason: v1alpha1.ReasonUnreachable}, "HTTP 502"},
		"a proxy's 403":    {answers(403, "<html>"), verdict{reason: v1alpha1.ReasonUnreachable}, "no Bot API server"},
		"a redirect":       {answers(302, ""), verdict{reason: v1alpha1.ReasonUnreachable}, "no Bot API server"},
		"200 in HTML":      {answers(200, "<html>secret"), verdict{maybe: true, reason: v1alpha1.ReasonUnreachable}, "cannot be read"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			got := judge(sendOver(t, server.URL, 10*time.Second), group)
			if !strings.Contains(got.message, tc.says) || strings.Contains(got.message, "secret") {
				t.Errorf("it says %q", got.message)
			}
			if got.message = ""; got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestCallsWithoutAnAnswer(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client left
		<-r.Context().Done()
	}))
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	tests := map[string]struct {
		address string
		maybe   bool
		says    string
	}{
		"no answer":         {silent.URL, true, "no answer in time"},
		"nobody listens":    {"http://" + closed.Addr().String(), false, "connection refused"},
		"unknown name":      {"http://nowhere.invalid", false, "does not resolve"},
		"wrong certificate": {stranger.URL, false, "certificate"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := sendOver(t, tc.address, 2*time.Second)
			got := judge(err, group)
			if got.reason != v1alpha1.ReasonUnreachable || got.maybe != tc.maybe || !strings.Contains(got.message, tc.says) {
				t.Errorf("%+v of %v", got, err)
			}
			if strings.Contains(fmt.Sprint(err, got), "TEST-TOKEN") {
				t.Errorf("the token stands in %v", err)
			}
		})
	}
}

// TestAnAcceptedMessageIsNotSentAgain has Telegram answer with something that nobody has heard of yet.
func TestAnAcceptedMessageIsNotSentAgain(t *testing.T) {
	for body, want := range map[string]int64{
		`{"ok":true,"result":{"message_id":5,"date":6,"forward_origin":{"type":"of tomorrow"}}}`:       5,
		`{"ok":true,"result":{"message_id":5,"from":{"id":[{}]},"chat":{},"date":6,"text":"breaks off`: 5,
		`{"ok":true,"result":{"message_id":5}}`:                                                        5, // of a copy
		"":                                                                                             0, "{}": 0, "[]": 0, `{"ok":true}`: 0, `{"ok":true,"result":true}`: 0, `{"ok":true,"result":{"date":6}}`: 0,
		`{"ok":false,"result":{"message_id":5,"date":6}}`: 0, `{"result":{"message_id":5,"date":6}}`: 0, `{"ok":true,"result":{"message_id":"5"}}`: 0,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		a := newAPI(mustComplete(t, Config{Token: sim.TestToken, APIURL: server.URL, ChatID: group}))
		m, err := a.deliver(t.Context(), "sendMessage", messageParams{ChatID: group, Text: "x"})
		server.Close()
		if m.MessageID != want && err == nil || (err == nil) != (want != 0) {
			t.Errorf("of %q: got %+v, %v", body, m, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Token: sim.TestToken, APIURL: "https://api.telegram.org", ChatID: group}
	tests := map[string]func(*Config){
		"no token":       func(c *Config) { c.Token = "" },
		"a path":         func(c *Config) { c.Token = "1:x/../y" },
		"a line's end":   func(c *Config) { c.Token = "1:x\n" },
		"no address":     func(c *Config) { c.APIURL = "" },
		"other scheme":   func(c *Config) { c.APIURL = "ftp://x" },
		"no chat":        func(c *Config) { c.ChatID = 0 },
		"no window":      func(c *Config) { c.Limits.PerChat = Limit{Messages: 3} },
		"less than none": func(c *Config) { c.Limits.Overall = Limit{Messages: -3, Window: time.Second} },
	}
	if _, err := New(good, &busyStore{}, nil); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range tests {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg, &busyStore{}, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var refusal *refusalError
	if errors.As(errTokenForm, &refusal) {
		t.Error("a malformed token is no refusal of Telegram's")
	}
}
