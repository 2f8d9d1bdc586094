// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/health"
	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// instantStore answers every request with success, in memory.
type instantStore struct {
	mu    sync.Mutex
	seq   int64
	due   []store.Result
	ready chan struct{}
}

func newInstantStore() *instantStore { return &instantStore{ready: make(chan struct{}, 1)} }

func (s *instantStore) Admit(_ context.Context, requests []store.Request) ([]store.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range requests {
		s.seq++
		s.due = append(s.due, store.Result{Seq: s.seq, RequestID: r.ID, Signature: r.Signature, TicketID: "ticket_site_1",
			MessageID: s.seq, SentAt: r.ReadAt})
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
	return make([]store.Verdict, len(requests)), nil
}

func (s *instantStore) DueResults(_ context.Context, after int64, limit int) ([]store.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []store.Result
	for _, r := range s.due {
		if r.Seq > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *instantStore) ConfirmResults(_ context.Context, upTo int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 && s.due[0].Seq <= upTo {
		s.due = s.due[1:]
	}
	return nil
}

func (s *instantStore) ResultsReady() <-chan struct{} { return s.ready }

// The same over TLS and real sockets: a reset in the middle, and nothing is lost.
func TestOverTLSAndThroughAReset(t *testing.T) {
	site, address, ca := tlsSite(t)
	cfg := dialConfig(t, address)
	credentials := cfg.Credentials()
	credentials.CA = ca
	cfg.Credentials = func() Credentials { return credentials }
	cfg.Rand = func() float64 { return 0 }
	cfg.Logger = slog.New(slog.DiscardHandler)
	health := newTestHealth()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- New(cfg, newInstantStore(), health).Run(ctx) }()

	for n := range int64(2) {
		if err := site.WaitConnection(ctx, n+1); err != nil {
			t.Fatal(err)
		}
		id, err := site.Send(feedback(n + 1))
		if err != nil {
			t.Fatal(err)
		}
		if result, err := site.WaitResult(ctx, id); err != nil || !result.OK {
			t.Fatalf("%+v, %v", result, err)
		}
		site.Drop()
		if err := health.waitUntil(ctx, func() bool { return health.said(v1alpha1.ReasonConnectionLost) == int(n)+1 }); err != nil {
			t.Fatalf("%v: %+v", err, health.reasons())
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// BenchmarkSession is a feedback's way through a session: read, verified, admitted, answered. The peer's frames are signed
// beforehand and the answers not verified.
func BenchmarkSession(b *testing.B) {
	key := testKey(b, "first")
	frames := make([][]byte, b.N)
	for i := range frames {
		data := `{"feedback_id":` + strconv.Itoa(i+1) + `,"telegram_id":999,"telegram_username":"user","telegram_first_name":"Имя",` +
			`"nickname":"PlayerNick","category":"bug","message":"` + strings.Repeat("Текст ", 20) + `","created_at":"2025-10-17T12:00:00",` +
			`"source":"website"}`
		frame, err := wire.AppendNewFeedback(nil, "id-"+strconv.Itoa(i), []byte(data), key, wire.FormUTF8, time.Now().Unix(), strconv.Itoa(i))
		if err != nil {
			b.Fatal(err)
		}
		frames[i] = frame
	}
	answered := make(chan struct{})
	var begin sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		begin.Do(b.ResetTimer)
		go func() {
			for _, frame := range frames {
				if ws.WriteMessage(websocket.TextMessage, frame) != nil {
					return
				}
			}
		}()
		for range frames {
			if _, _, err := ws.ReadMessage(); err != nil {
				b.Error(err)
				break
			}
		}
		b.StopTimer()
		close(answered)
		_, _, _ = ws.ReadMessage() // until the client leaves
	}))
	defer server.Close()
	keys := wire.NewKeyRing(key)
	cfg := Config{URL: "ws" + strings.TrimPrefix(server.URL, "http"), PingInterval: interval, MessageTTL: time.Hour,
		Logger:      slog.New(slog.DiscardHandler),
		Credentials: func() Credentials { return Credentials{JWT: testJWT, Keys: keys} }}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	tracker := health.NewTracker("bench", time.Now, func() v1alpha1.TicketsStatus { return v1alpha1.TicketsStatus{} })
	tracker.Keys(keys.IDs())
	go func() { ended <- New(cfg, newInstantStore(), tracker).Run(ctx) }()
	<-answered
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
