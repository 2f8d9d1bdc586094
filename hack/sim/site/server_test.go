// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

func key(t *testing.T, secret string) wire.Key {
	t.Helper()
	k, err := wire.NewKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// harness is a Server on the loopback.
type harness struct {
	t    *testing.T
	site *Server
	url  string
}

func start(t *testing.T, cfg Config) harness {
	cfg.Key = key(t, "first")
	site := New(cfg)
	server := httptest.NewServer(site)
	t.Cleanup(func() { site.Close(); server.Close() })
	return harness{t, site, server.URL}
}

// call calls the control API, and wants a status.
func (h harness) call(status int, method, path string, body any) (answer map[string]any) {
	h.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, bytes.NewReader(raw))
	if err != nil {
		h.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		h.t.Fatal(err)
	}
	if response.StatusCode != status {
		h.t.Fatalf("%s %s: status %d: %v", method, path, response.StatusCode, answer)
	}
	return answer
}

// dial connects as a bot; a refusal is its status.
func (h harness) dial(token, origin string) (ws *websocket.Conn, status int) {
	h.t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	address := "ws" + strings.TrimPrefix(h.url, "http") + DefaultPath + "?token=" + token
	ws, response, err := websocket.DefaultDialer.DialContext(h.t.Context(), address, header)
	if err != nil {
		if response == nil {
			h.t.Fatal(err)
		}
		return nil, response.StatusCode
	}
	h.t.Cleanup(func() { _ = ws.Close() })
	if err := ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	return ws, http.StatusSwitchingProtocols
}

// next reads a feedback as the bot would.
func (h harness) next(ws *websocket.Conn, ring wire.KeyRing) (*wire.NewFeedback, wire.Signature, error) {
	h.t.Helper()
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			h.t.Fatal(err)
		}
		frame, err := wire.Decode(data, wire.DefaultLimits())
		if err != nil {
			h.t.Fatal(err)
		}
		if frame.Feedback == nil {
			continue
		}
		signature, err := frame.Feedback.Verify(ring, time.Now(), 45*time.Second)
		return frame.Feedback, signature, err
	}
}

// answer answers a feedback as the bot would.
func (h harness) answer(ws *websocket.Conn, result wire.Result, with wire.Key, form wire.Form) {
	h.t.Helper()
	frame, err := result.AppendFrame(nil, with, form, time.Now().Unix(), uuid.NewString())
	if err == nil {
		err = ws.WriteMessage(websocket.TextMessage, frame)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestHandshakes(t *testing.T) {
	h := start(t, Config{Accept: AcceptToken("good")})
	for _, test := range []struct {
		name, token, origin string
		status              int
	}{
		{"good", "good", h.url, http.StatusSwitchingProtocols},
		{"another token", "bad", h.url, http.StatusForbidden},
		{"no token", "", h.url, http.StatusForbidden},
		{"no origin", "good", "", http.StatusForbidden},
		{"another site's origin", "good", "http://other.test", http.StatusForbidden},
	} {
		if _, status := h.dial(test.token, test.origin); status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, status, test.status)
		}
	}
	h.call(200, "PUT", "/sim/faults", Faults{Refuse: &Refusal{Status: 503, Times: 1}})
	if _, status := h.dial("good", h.url); status != 503 {
		t.Errorf("status %d, want 503 on request", status)
	}
	if _, status := h.dial("good", h.url); status != http.StatusSwitchingProtocols {
		t.Errorf("status %d, though it was to be refused once", status)
	}
	h.call(200, "PUT", "/sim/token", map[string]string{"token": "renewed"})
	if _, status := h.dial("good", h.url); status != http.StatusForbidden {
		t.Errorf("status %d, want the old token refused", status)
	}
	if err := h.site.WaitConnection(t.Context(), 2); err != nil { // it is counted after the handshake was answered
		t.Fatal(err)
	}
	if stats := h.site.Stats(); stats.Connections != 2 || stats.Refused != 6 {
		t.Errorf("%+v", stats)
	}
}

func TestResultsAreTracked(t *testing.T) {
	h := start(t, Config{})
	first := key(t, "first")
	ring := wire.NewKeyRing(first)
	waiting := h.call(200, "POST", "/sim/feedback", map[string]any{"data": map[string]any{"feedback_id": 1}})["id"].(string)
	ws, _ := h.dial("x", h.url)
	feedback, _, err := h.next(ws, ring)
	if err != nil || feedback.ID != waiting {
		t.Fatalf("%+v, %v", feedback, err)
	}
	posted := wire.Result{ID: waiting, OK: true, TicketID: "ticket_site_1", MessageID: 5, SentAt: "2025-10-17T12:00:01"}
	h.answer(ws, posted, key(t, "another"), wire.FormUTF8) // not good, so it is not the result
	h.answer(ws, wire.Result{ID: "never sent", Error: "x"}, first, wire.FormUTF8)
	h.answer(ws, posted, first, wire.FormUTF8)
	h.answer(ws, posted, first, wire.FormUTF8)
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello"}`)); err != nil {
		t.Fatal(err)
	}
	if err := h.site.WaitFor(t.Context(), func() bool { return h.site.Stats().Malformed == 1 }); err != nil {
		t.Fatal(err)
	}
	sent := h.call(200, "GET", "/sim/feedback?wait=30s&id="+waiting, nil)
	result := sent["result"].(map[string]any)
	if result["ticket_id"] != "ticket_site_1" || result["ok"] != true || sent["results"] != 2.0 || sent["refused"] != "Invalid HMAC signature" {
		t.Errorf("%v", sent)
	}
	stats := h.call(200, "GET", "/sim/results?min=1&wait=30s", nil)
	for name, want := range map[string]float64{"answered": 1, "ok": 1, "repeated": 1, "missigned": 1, "unknown": 1, "malformed": 1, "frames": 1} {
		if stats[name] != want {
			t.Errorf("%s: %v, want %v", name, stats[name], want)
		}
	}
}

func TestFeedbackWithSomethingWrong(t *testing.T) {
	h := start(t, Config{})
	ring := wire.NewKeyRing(key(t, "first"))
	ws, _ := h.dial("x", h.url)
	data := json.RawMessage(`{"feedback_id": 1, "message": "Ы"}`)
	for _, test := range []struct {
		out  Outgoing
		want error
	}{
		{Outgoing{Data: data}, nil},
		{Outgoing{Data: data, Forged: true}, wire.ErrBadSignature},
		{Outgoing{Data: data, Age: Duration(time.Minute)}, wire.ErrExpired},
		{Outgoing{Data: data, Age: -Duration(time.Minute)}, wire.ErrExpired},
	} {
		h.call(200, "POST", "/sim/feedback", test.out)
		if _, _, err := h.next(ws, ring); fmt.Sprint(err) != fmt.Sprint(test.want) {
			t.Errorf("%+v: %v, want %v", test.out, err, test.want)
		}
	}
	h.call(200, "POST", "/sim/feedback", Outgoing{Data: data, ID: "same", Nonce: "n", Repeat: 2})
	for range 3 {
		if feedback, _, err := h.next(ws, ring); err != nil || feedback.ID != "same" || feedback.Nonce != "n" {
			t.Errorf("%+v, %v", feedback, err)
		}
	}
	h.call(200, "PUT", "/sim/key", map[string]string{"secret": "second", "form": "ascii"})
	h.call(200, "POST", "/sim/feedback", Outgoing{Data: data})
	second := wire.NewKeyRing(key(t, "second"))
	if _, signature, err := h.next(ws, second); err != nil || signature.Form != wire.FormASCII {
		t.Errorf("%+v, %v", signature, err)
	}
}

func TestWhatIsNotAnsweredIsSentAgain(t *testing.T) {
	h := start(t, Config{ResendAfter: 20 * time.Millisecond})
	ring := wire.NewKeyRing(key(t, "first"))
	ws, _ := h.dial("x", h.url)
	id, err := h.site.Send(map[string]int{"feedback_id": 1})
	if err != nil {
		t.Fatal(err)
	}
	nonces := map[string]bool{}
	for range 3 {
		feedback, _, err := h.next(ws, ring)
		if err != nil || feedback.ID != id || nonces[feedback.Nonce] {
			t.Errorf("%+v, %v: want the same feedback, freshly signed", feedback, err)
		}
		nonces[feedback.Nonce] = true
	}
}

func TestEndsOfConnections(t *testing.T) {
	h := start(t, Config{})
	closed, _ := h.dial("x", h.url)
	h.call(200, "POST", "/sim/close", Closing{Code: 4401, Text: "expired"})
	if _, _, err := closed.ReadMessage(); !websocket.IsCloseError(err, 4401) {
		t.Errorf("closed with %v", err)
	}
	if err := h.site.WaitFor(t.Context(), func() bool { return !h.site.Stats().Connected }); err != nil {
		t.Fatal(err)
	}
	dropped, _ := h.dial("x", h.url)
	if err := h.site.WaitConnection(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	h.call(200, "POST", "/sim/drop", nil)
	if _, _, err := dropped.ReadMessage(); err == nil || websocket.IsCloseError(err, 1000, 1001, 1005) {
		t.Errorf("dropped with %v", err)
	}
}

func TestWhatIsSentAfterAnEndWaitsForTheNextConnection(t *testing.T) {
	ring := wire.NewKeyRing(key(t, "first"))
	for name, end := range map[string]func(*Server){
		"dropped": (*Server).Drop,
		"closed":  func(s *Server) { s.CloseConnections(1000, "") },
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, Config{})
			for n := range int64(20) {
				ws, _ := h.dial("x", h.url)
				if err := h.site.WaitConnection(t.Context(), 1+n); err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					_, _, err := h.next(ws, ring)
					if sent := h.site.All(0, 1)[0]; err != nil || sent.Frames != 1 {
						t.Errorf("%v, %+v: want one frame, on this connection", err, sent)
					}
				}
				end(h.site)
				if _, err := h.site.Send(map[string]int64{"feedback_id": n}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestFrozenConnectionComesBack(t *testing.T) {
	h := start(t, Config{})
	ring := wire.NewKeyRing(key(t, "first"))
	ws, _ := h.dial("x", h.url)
	h.call(200, "PUT", "/sim/faults", Faults{Frozen: true})
	if err := ws.WriteMessage(websocket.TextMessage, wire.Ping()); err != nil {
		t.Fatal(err)
	}
	id, err := h.site.Send(map[string]int{"feedback_id": 1})
	if err != nil {
		t.Fatal(err)
	}
	if stats := h.site.Stats(); stats.Pings != 0 {
		t.Errorf("read while frozen: %+v", stats)
	}
	h.call(200, "PUT", "/sim/faults", Faults{})
	if feedback, _, err := h.next(ws, ring); err != nil || feedback.ID != id {
		t.Errorf("%+v, %v", feedback, err)
	}
	if err := h.site.WaitFor(t.Context(), func() bool { return h.site.Stats().Pings == 1 }); err != nil {
		t.Error(err)
	}
}

func TestHalfOpenConnectionStaysSo(t *testing.T) {
	h := start(t, Config{})
	ring := wire.NewKeyRing(key(t, "first"))
	frozen, _ := h.dial("x", h.url)
	if err := h.site.WaitConnection(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := h.site.Freeze(); n != 1 {
		t.Errorf("%d connections frozen, want 1", n)
	}
	if err := frozen.WriteMessage(websocket.TextMessage, wire.Ping()); err != nil {
		t.Fatal(err)
	}
	sound, _ := h.dial("x", h.url)
	if err := h.site.WaitConnection(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	id, err := h.site.Send(map[string]int{"feedback_id": 1})
	if err != nil {
		t.Fatal(err)
	}
	if feedback, _, err := h.next(sound, ring); err != nil || feedback.ID != id {
		t.Errorf("%+v, %v", feedback, err)
	}
	h.site.CloseConnections(1000, "") // does not wait for the frozen one
	if n := h.site.Freeze(); n > 1 || h.site.Opened() != 2 || h.site.Stats().Pings != 0 {
		t.Errorf("%d more frozen, %+v", n, h.site.Stats())
	}
}

func TestControlRefusesWhatItDoesNotKnow(t *testing.T) {
	h := start(t, Config{})
	h.call(400, "POST", "/sim/feedback", map[string]any{"data": []int{1}})
	h.call(400, "POST", "/sim/feedback", map[string]any{"data": map[string]any{}, "forge": true})
	h.call(400, "PUT", "/sim/faults", Faults{Refuse: &Refusal{Status: 101}})
	h.call(400, "PUT", "/sim/token", map[string]string{})
	h.call(400, "PUT", "/sim/key", map[string]string{"form": "latin1"})
	h.call(400, "GET", "/sim/results?wait=soon", nil)
	h.call(404, "GET", "/sim/feedback?id=none", nil)
	h.call(409, "POST", "/sim/raw", map[string]string{"text": "x"})
}

func TestPage(t *testing.T) {
	h := start(t, Config{})
	for path, kind := range map[string]string{"/": "text/html", "/page/style.css": "text/css", "/page/page.js": "text/javascript"} {
		response, err := http.Get(h.url + path) //nolint:noctx // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Content-Type"); response.StatusCode != 200 || !strings.HasPrefix(got, kind) {
			t.Errorf("%s: status %d, %s", path, response.StatusCode, got)
		}
	}
}

// botConn is a bot's connection, and the keys that it accepts.
type botConn struct {
	ws   *websocket.Conn
	ring wire.KeyRing
}

func (h harness) connect(ring wire.KeyRing) *botConn { return h.connectWith("any", ring) }

func (h harness) connectWith(token string, ring wire.KeyRing) *botConn {
	h.t.Helper()
	ws, status := h.dial(token, h.url)
	if ws == nil {
		h.t.Fatalf("status %d", status)
	}
	return &botConn{ws, ring}
}
