// SPDX-License-Identifier: Apache-2.0

package site

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// dialV2 connects as a bot that offers version 2.
func (h harness) dialV2() *websocket.Conn {
	h.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	ws, _, err := dialer.DialContext(h.t.Context(), "ws"+strings.TrimPrefix(h.url, "http")+DefaultPath+"?token=x",
		http.Header{"Origin": {h.url}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = ws.Close() })
	if err := ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	return ws
}

// nextV2 reads a frame of version 2, of a type.
func (h harness) nextV2(ws *websocket.Conn, frameType string, with wire.Key) wire.Envelope {
	h.t.Helper()
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			h.t.Fatal(err)
		}
		e, err := wire.DecodeV2(data, wire.ToBot, wire.DefaultLimits())
		if err == nil {
			_, err = e.Verify(wire.NewKeyRing(with), time.Now(), time.Minute)
		}
		if err != nil {
			h.t.Fatalf("%s: %v", data, err)
		}
		if e.Type == frameType {
			return e
		}
	}
}

func (h harness) writeV2(ws *websocket.Conn, id string, body wire.Body, with wire.Key) {
	h.t.Helper()
	frame, err := wire.AppendV2(nil, wire.ToSite, id, body, with, time.Now().Unix(), uuid.NewString())
	if err == nil {
		err = ws.WriteMessage(websocket.TextMessage, frame)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestASiteOfVersion2(t *testing.T) {
	first := key(t, "first")
	h := start(t, Config{Protocol: ProtocolV2})
	ws := h.dialV2()
	if ws.Subprotocol() != wire.Subprotocol {
		t.Fatalf("selected %q", ws.Subprotocol())
	}
	hello := h.nextV2(ws, wire.TypeHello, first)
	said, err := hello.Hello()
	if err != nil || len(said.Capabilities) != 5 || said.Preferred != first.ID() {
		t.Errorf("%+v, %v", said, err)
	}
	id := h.call(200, "POST", "/sim/feedback", Outgoing{Type: wire.TypeFeedbackStatus, Data: []byte(`{"feedback_id":1}`)})["id"].(string)
	if e := h.nextV2(ws, wire.TypeFeedbackStatus, first); e.ID != id {
		t.Errorf("id %s, want %s", e.ID, id)
	}
	h.writeV2(ws, id, wire.Ack{}, first)
	feedback, err := h.site.Send(map[string]int{"feedback_id": 1})
	if err != nil {
		t.Fatal(err)
	}
	h.nextV2(ws, wire.TypeNewFeedback, first)
	h.writeV2(ws, feedback, wire.Answer{OK: true, TicketID: "t", MessageID: 5, SentAt: "2025-10-17T12:00:01"}, first)
	if ack := h.nextV2(ws, wire.TypeAck, first); ack.ID != feedback {
		t.Errorf("the ack of %s is of %s", feedback, ack.ID)
	}
	result, err := h.site.WaitResult(t.Context(), feedback)
	if err != nil || !result.OK || result.TicketID != "t" {
		t.Errorf("%+v, %v", result, err)
	}
	if sent, _ := h.site.Sent(id); sent.Acks != 1 {
		t.Errorf("%+v", sent)
	}
	status := wire.StatusUpdate{TicketID: "t", Status: "read", At: time.Now()}
	for range 2 { // the same again is acknowledged, and told once
		h.writeV2(ws, "told", status, first)
		h.nextV2(ws, wire.TypeAck, first)
	}
	h.writeV2(ws, "forged", status, key(t, "another"))
	if err := h.site.WaitFor(t.Context(), func() bool { return h.site.Stats().Missigned == 1 }); err != nil {
		t.Fatal(err)
	}
	if told := h.site.Received(wire.TypeFeedbackStatus); len(told) != 1 || told[0].Times != 2 || told[0].KeyID != first.ID() {
		t.Errorf("told %+v", told)
	}
}

func TestWhatWasNotAcknowledgedIsSentInTheNextConnection(t *testing.T) {
	first := key(t, "first")
	h := start(t, Config{Protocol: ProtocolV2})
	var ids []string
	for i := range 3 {
		id, err := h.site.Send(map[string]int{"feedback_id": i + 1})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	ws := h.dialV2()
	for range 3 {
		h.nextV2(ws, wire.TypeNewFeedback, first)
	}
	h.writeV2(ws, ids[1], wire.Ack{}, first)
	if err := h.site.WaitFor(t.Context(), func() bool { return h.site.Stats().Acked == 1 }); err != nil {
		t.Fatal(err)
	}
	h.site.Drop()
	ws = h.dialV2()
	for _, want := range []string{ids[0], ids[2]} {
		if e := h.nextV2(ws, wire.TypeNewFeedback, first); e.ID != want {
			t.Errorf("%s again, want %s", e.ID, want)
		}
	}
}

// What version 1 has no frame for waits for version 2.
func TestTheVersionCanBeSwitched(t *testing.T) {
	first := key(t, "first")
	h := start(t, Config{})
	status, err := h.site.SendOut(Outgoing{Type: wire.TypeFeedbackStatus, Data: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	feedback, err := h.site.Send(map[string]int{"feedback_id": 1})
	if err != nil {
		t.Fatal(err)
	}
	v1 := h.dialV2()
	if v1.Subprotocol() != "" {
		t.Errorf("a site of version 1 selected %q", v1.Subprotocol())
	}
	if got, _, err := h.next(v1, wire.NewKeyRing(first)); err != nil || got.ID != feedback {
		t.Errorf("%+v, %v", got, err)
	}
	h.call(200, "PUT", "/sim/protocol", map[string]string{"protocol": "v2"})
	h.call(400, "PUT", "/sim/protocol", map[string]string{"protocol": "v3"})
	v2 := h.dialV2()
	if e := h.nextV2(v2, wire.TypeFeedbackStatus, first); e.ID != status {
		t.Errorf("id %s, want %s", e.ID, status)
	}
	if got := fmt.Sprint(h.call(200, "GET", "/sim/connected?connections=2&wait=10s", nil)["protocol"]); got != "v2" {
		t.Errorf("the newest connection speaks %s", got)
	}
}
