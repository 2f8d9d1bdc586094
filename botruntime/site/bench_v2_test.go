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

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// BenchmarkSessionV2 is BenchmarkSession in version 2: each feedback is acknowledged and answered, and the site, which keeps
// to its window of 64, acknowledges the answer. The peer's frames are signed as they go.
func BenchmarkSessionV2(b *testing.B) {
	key := testKey(b, "first")
	answered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		b.ResetTimer()
		benchSite(b, ws, key)
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
	go func() { ended <- New(cfg, newInstantStore(), newTestHealth()).Run(ctx) }()
	<-answered
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// benchSite sends feedback until all of it is answered.
func benchSite(b *testing.B, ws *websocket.Conn, key wire.Key) {
	body, err := wire.NewBody(wire.TypeNewFeedback, []byte(`{"feedback_id":0,"telegram_id":999,"telegram_username":"user",`+
		`"telegram_first_name":"Имя","nickname":"PlayerNick","category":"bug","message":"`+strings.Repeat("Текст ", 20)+
		`","created_at":"2025-10-17T12:00:00","source":"website"}`))
	if err != nil {
		b.Error(err)
		return
	}
	var write sync.Mutex
	nonce := 0
	send := func(id string, body wire.Body) {
		write.Lock()
		defer write.Unlock()
		nonce++
		frame, err := wire.AppendV2(nil, wire.ToBot, id, body, key, time.Now().Unix(), strconv.Itoa(nonce))
		if err == nil {
			err = ws.WriteMessage(websocket.TextMessage, frame)
		}
		if err != nil {
			b.Error(err)
		}
	}
	window := make(chan struct{}, 64)
	go func() {
		for i := range b.N {
			window <- struct{}{}
			send("id-"+strconv.Itoa(i), body)
		}
	}()
	for results := 0; results < b.N; {
		_, data, err := ws.ReadMessage()
		if err != nil {
			b.Error(err)
			return
		}
		e, err := wire.DecodeV2(data, wire.ToSite, wire.DefaultLimits())
		if err != nil {
			b.Error(err)
			return
		}
		switch e.Type {
		case wire.TypeAck:
			<-window
		case wire.TypeFeedbackResult:
			results++
			send(e.ID, wire.Ack{})
		}
	}
}
