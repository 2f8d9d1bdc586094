// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const group = int64(-1001234567890)

var (
	support = sim.User{ID: 1001, FirstName: "Support", Username: "support_desk", LanguageCode: "ru"}
	visitor = sim.User{ID: 1003, FirstName: "Visitor", LanguageCode: "de"}
)

// inProcess carries requests to a handler without a network, so that tests can run in the bubble of testing/synctest,
// where hours take no time.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	answer := make(chan *http.Response, 1)
	go func() {
		defer func() {
			if recover() != nil { // http.ErrAbortHandler: the connection broke
				answer <- nil
			}
		}()
		rec := httptest.NewRecorder()
		p.handler.ServeHTTP(rec, req)
		answer <- rec.Result()
	}()
	select {
	case resp := <-answer:
		if resp == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return resp, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// health remembers what it was told.
type health struct {
	mu                     sync.Mutex
	ok                     bool
	reason, message, title string
	username               string
	history                []string
}

func (h *health) Telegram(ok bool, reason, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ok, h.reason, h.message = ok, reason, message
	h.history = append(h.history, fmt.Sprint(ok, " ", reason))
}

func (h *health) Bot(username, title string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.username, h.title = username, title
}

func (h *health) now() (state, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.ok, " ", h.reason), h.message
}

// states is everything that was said of Telegram so far.
func (h *health) states() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.history)
}

// logs is a log that can be read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a simulated Telegram, a store, and a bot between them.
type world struct {
	*sim.Server
	t      testing.TB
	cfg    Config
	base   store.Options // where the store is
	store  *store.Store
	health *health
	logs   *logs
	stop   func()
	bot    *Bot
	seq    int64
}

// newWorld makes a world in which nothing runs yet.
func newWorld(t testing.TB, limits sim.Limits) *world {
	t.Helper()
	return newWorldIn(t, limits, store.Options{Dir: t.TempDir()})
}

// newWorldIn is newWorld with its store elsewhere.
func newWorldIn(t testing.TB, limits sim.Limits, base store.Options) *world {
	t.Helper()
	s := sim.New(sim.Config{Limits: limits})
	if err := s.AddChat(sim.Chat{ID: group, Title: "Feedback group"}); err != nil {
		t.Fatal(err)
	}
	w := &world{Server: s, t: t, base: base, health: &health{}, logs: &logs{}}
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = Config{Token: sim.TestToken, APIURL: "http://telegram.test/", ChatID: group, Language: "ru", Location: moscow,
		HTTPClient: &http.Client{Transport: inProcess{s}}, Rand: func() float64 { return 1 },
		Logger: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	opts := w.base
	opts.Route, opts.Chats, opts.Topic = w.cfg.Route, w.cfg.Chats(), w.cfg.TopicKey
	w.store, err = store.Open(context.Background(), opts)
	if err != nil {
		w.t.Fatal(err)
	}
}

// start runs the bot until halt.
func (w *world) start() {
	w.t.Helper()
	var err error
	if w.bot, err = New(w.cfg, w.store, w.health); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.bot.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
}

func (w *world) halt() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// end stops the bot and closes the store. Within a bubble it has to be deferred: clean-ups run outside.
func (w *world) end() {
	w.halt()
	w.Server.Close()
	if w.store != nil { // it was opened
		if err := w.store.Close(); err != nil {
			w.t.Error(err)
		}
	}
	for _, secret := range []string{sim.TestToken, "TEST-TOKEN", secretText} {
		if strings.Contains(w.logs.String(), secret) {
			w.t.Errorf("%q stands in the log:\n%s", secret, w.logs)
		}
	}
}

// restart stops the bot and its store and starts both again.
func (w *world) restart() {
	w.halt()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
	w.start()
}

// secretText is part of every ticket's message: no log may have it.
const secretText = "between-you-and-me"

// admit puts tickets with these messages into the store.
func (w *world) admit(messages ...string) {
	w.t.Helper()
	for _, m := range messages {
		w.seq++
		id := fmt.Sprint("request-", w.seq)
		_, err := w.store.Admit(context.Background(), []store.Request{{ID: id, Nonce: id,
			Signature: wire.Signature{KeyID: "key"}, ReadAt: time.Now(), NonceUntil: time.Now().Add(time.Minute),
			Ticket: ticket.Ticket{Source: ticket.SourceSite, FeedbackID: w.seq, Category: "bug", Nickname: "Nick <b>",
				Message: m + " " + secretText}}})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// counted are n messages.
func counted(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("message %d.", i))
	}
	return out
}

// results are the results that the site waits for, by ticket.
func (w *world) results() map[string]store.Result {
	w.t.Helper()
	due, err := w.store.DueResults(context.Background(), 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]store.Result{}
	for _, r := range due {
		out[r.TicketID] = r
	}
	return out
}
