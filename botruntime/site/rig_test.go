// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
)

const (
	testJWT  = "header.test-token.signature"
	testChat = -1001234567890
	interval = 20 * time.Second
)

// rig is a client with the real store, against the simulated site, over connections in memory: in a synctest bubble, time
// passes only when everybody waits.
type rig struct {
	t       *testing.T
	ctx     context.Context
	site    *simsite.Server
	store   *testStore
	health  *testHealth
	client  *Client
	changed chan struct{}
	logs    *syncBuffer

	mu          sync.Mutex
	credentials Credentials
	dials       []time.Time
	stop        context.CancelFunc
	ended       chan struct{}
}

// bubble runs a test against a rig in a synctest bubble; configure may be nil.
func bubble(t *testing.T, configure func(*simsite.Config, *Config), test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, configure)
		r.start()
		test(r)
	})
}

func newRig(t *testing.T, configure func(*simsite.Config, *Config)) *rig {
	key := testKey(t, "first")
	r := &rig{
		t: t, ctx: t.Context(), health: newTestHealth(), changed: make(chan struct{}, 1), logs: &syncBuffer{},
		credentials: Credentials{JWT: testJWT, Keys: wire.NewKeyRing(key)}, ended: make(chan struct{}),
	}
	site := simsite.Config{Accept: simsite.AcceptToken(testJWT), Key: key}
	cfg := Config{
		URL: "ws://shop.test/ws/feedback-bot", PingInterval: interval, MessageTTL: 45 * time.Second,
		Credentials: r.current, CredentialsChanged: r.changed, Rand: func() float64 { return 0.5 },
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if configure != nil {
		configure(&site, &cfg)
	}
	r.site = simsite.New(site)
	listener := newPipeListener()
	server := &http.Server{Handler: r.site, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = server.Serve(listener) }()
	if cfg.DialContext == nil {
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) {
			r.mu.Lock()
			r.dials = append(r.dials, time.Now())
			r.mu.Unlock()
			return listener.dial()
		}
	}
	inner, err := store.Open(t.Context(), t.TempDir(), store.Options{ChatID: testChat})
	if err != nil {
		t.Fatal(err)
	}
	posting, stopPosting := context.WithCancel(context.Background())
	posted := make(chan struct{})
	r.store = &testStore{Store: inner}
	go func() { defer close(posted); r.store.post(posting) }()
	r.client = New(cfg, r.store, r.health)
	t.Cleanup(func() {
		r.halt()
		r.site.Close()
		stopPosting()
		<-posted
		if err := errors.Join(server.Close(), inner.Close()); err != nil {
			t.Error(err)
		}
		if strings.Contains(r.logs.String(), "test-token") {
			t.Error("the token is in the log")
		}
	})
	return r
}

func testKey(t testing.TB, secret string) wire.Key {
	t.Helper()
	key, err := wire.NewKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (r *rig) current() Credentials {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.credentials
}

func (r *rig) setCredentials(change func(*Credentials)) {
	r.mu.Lock()
	change(&r.credentials)
	r.mu.Unlock()
	r.changed <- struct{}{}
}

// start runs the client until halt.
func (r *rig) start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() {
		defer close(r.ended)
		if err := r.client.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
}

// halt stops the client and says how long that took.
func (r *rig) halt() time.Duration {
	if r.stop == nil {
		return 0
	}
	since := time.Now()
	r.stop()
	<-r.ended
	return time.Since(since)
}

func (r *rig) dialled() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Time{}, r.dials...)
}

// feedback is a payload with a number.
func feedback(number int64) map[string]any {
	return map[string]any{"feedback_id": number, "category": "bug", "message": "Не открывается инвентарь"}
}

// send sends a feedback to the bot.
func (r *rig) send(number int64) (id string) {
	r.t.Helper()
	id, err := r.site.Send(feedback(number))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// must fails the test for a wait that ended in vain.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		logs := r.logs.String()
		r.t.Fatalf("%v\nsite: %+v\nhealth: %v\n%s", err, r.site.Stats(), r.health.last(), logs[max(0, len(logs)-2000):])
	}
}

// result waits for the result of a feedback, for ten minutes at most.
func (r *rig) result(id string) simsite.Result {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Minute)
	defer cancel()
	result, err := r.site.WaitResult(ctx, id)
	r.must(err)
	return result
}

// delivered sends a feedback and wants it posted.
func (r *rig) delivered(number int64) {
	r.t.Helper()
	if result := r.result(r.send(number)); !result.OK {
		r.t.Fatalf("feedback %d: %+v", number, result)
	}
}

// connected waits for the n-th connection.
func (r *rig) connected(n int64) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Hour)
	defer cancel()
	r.must(r.site.WaitConnection(ctx, n))
}

// until waits for a condition of the site's.
func (r *rig) until(condition func(simsite.Stats) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Hour)
	defer cancel()
	r.must(r.site.WaitFor(ctx, func() bool { return condition(r.site.Stats()) }))
}

// disconnected waits until the client says that there is no connection, and why.
func (r *rig) disconnected() siteState {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, time.Hour)
	defer cancel()
	state, err := r.health.waitFor(ctx, func(s siteState) bool {
		return !s.ok && s.reason != "" && s.reason != v1alpha1.ReasonConnecting
	})
	r.must(err)
	return state
}

// testStore is the real store, whose tickets are posted at once, and which fails on request.
type testStore struct {
	*store.Store
	mu       sync.Mutex
	broken   error
	refuse   string // why posts are refused for good
	posts    int
	admitted []store.Request
}

func (s *testStore) set(change func(*testStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *testStore) Admit(ctx context.Context, requests []store.Request) ([]store.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	s.admitted = append(s.admitted, requests...)
	return s.Store.Admit(ctx, requests)
}

func (s *testStore) posted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

// post stands for the Telegram side.
func (s *testStore) post(ctx context.Context) {
	var done *store.Outcome
	for ctx.Err() == nil {
		job, err := s.Advance(ctx, testChat, done, true)
		if err != nil {
			return
		}
		if done = nil; job != nil {
			s.mu.Lock()
			s.posts++
			done = &store.Outcome{Seq: job.Seq, Kind: store.Sent, MessageID: int64(s.posts), At: time.Now()}
			if s.refuse != "" {
				done.Kind, done.Failure = store.Refused, s.refuse
			}
			s.mu.Unlock()
			continue
		}
		select {
		case <-s.OutboxReady():
		case <-ctx.Done():
		}
	}
}

// siteState is what Health.Site was told.
type siteState struct {
	ok              bool
	reason, message string
	at              time.Time
}

// testHealth records.
type testHealth struct {
	mu         sync.Mutex
	states     []siteState
	keys       []string
	refused    map[string]int
	reconnects int
	change     chan struct{}
}

func newTestHealth() *testHealth {
	return &testHealth{refused: map[string]int{}, change: make(chan struct{})}
}

func (h *testHealth) record(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	close(h.change)
	h.change = make(chan struct{})
}

func (h *testHealth) Site(ok bool, reason, message string) {
	h.record(func() { h.states = append(h.states, siteState{ok, reason, message, time.Now()}) })
}
func (h *testHealth) SiteKey(id string)          { h.record(func() { h.keys = append(h.keys, id) }) }
func (h *testHealth) FrameRefused(reason string) { h.record(func() { h.refused[reason]++ }) }
func (h *testHealth) Reconnected()               { h.record(func() { h.reconnects++ }) }

func (h *testHealth) last() siteState {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.states) == 0 {
		return siteState{}
	}
	return h.states[len(h.states)-1]
}

func (h *testHealth) count(reason string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused[reason]
}

// said counts how often a reason was given.
func (h *testHealth) said(reason string) (times int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, state := range h.states {
		if state.reason == reason {
			times++
		}
	}
	return times
}

// waitUntil waits for a condition, which it evaluates after every change.
func (h *testHealth) waitUntil(ctx context.Context, condition func() bool) error {
	for {
		h.mu.Lock()
		change := h.change
		h.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitFor waits for a state to be the last one.
func (h *testHealth) waitFor(ctx context.Context, want func(siteState) bool) (siteState, error) {
	err := h.waitUntil(ctx, func() bool { return want(h.last()) })
	return h.last(), err
}

// pipeListener accepts connections in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*syncBuffer)(nil)

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
