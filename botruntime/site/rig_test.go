// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"errors"
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
	inner, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(),
		Route: func(string) (chatID, threadID int64) { return testChat, 0 }})
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
		r.t.Fatalf("%v\nsite: %+v\nhealth: %v\n%s", err, r.site.Stats(), r.health.reasons(), logs[max(0, len(logs)-2000):])
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
