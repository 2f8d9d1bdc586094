// SPDX-License-Identifier: Apache-2.0

package django

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// superseded is what the site closes a connection with that is no longer the newest.
const superseded = 4000

// join connects to a process of the site as the bot does.
func (w *world) join(site *Site) *websocket.Conn {
	w.t.Helper()
	token, err := Token(jwtSecret, nil)
	must(w.t, err)
	conn, _, err := websocket.DefaultDialer.DialContext(w.t.Context(), "ws://"+site.Address()+"/ws/feedback-bot?token="+token,
		http.Header{"Origin": {"http://127.0.0.1"}})
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() }) // the site may have closed it
	return conn
}

// closed waits for the close of a connection, and returns its code.
func (w *world) closed(conn *websocket.Conn) int {
	w.t.Helper()
	must(w.t, conn.SetReadDeadline(time.Now().Add(patience)))
	for {
		_, _, err := conn.ReadMessage()
		var closing *websocket.CloseError
		if errors.As(err, &closing) {
			return closing.Code
		}
		must(w.t, err)
	}
}

// Of two connections the site serves the newer one, in whichever of its processes they are, also while these cannot tell each other.
func TestTheNewestConnectionCounts(t *testing.T) {
	w := newWorld(t, plan{kind: Portal})
	second, err := Portal(root(), t.TempDir(), w.settings)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, second.Start(ctx))
	t.Cleanup(func() { must(t, second.End(syscall.SIGKILL)) })

	older := w.join(w.site)
	newer := w.join(second)
	if code := w.closed(older); code != superseded {
		t.Errorf("the older connection was closed with %d", code)
	}
	must(t, w.redis.Kill())
	newest := w.join(w.site)
	if code := w.closed(newer); code != superseded {
		t.Errorf("without Redis the older connection was closed with %d", code)
	}
	must(t, newest.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)))
	must(t, newest.SetReadDeadline(time.Now().Add(patience)))
	if _, text, err := newest.ReadMessage(); err != nil {
		t.Errorf("the newest connection: %s %v", text, err)
	}
}
