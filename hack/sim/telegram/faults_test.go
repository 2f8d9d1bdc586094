// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		kind     telegram.FaultKind
		want     string // the description, or "broken" for an answer that is none
		accepted bool
	}{
		{telegram.FaultInternal, "Internal Server Error", false},
		{telegram.FaultTooManyRequests, "Too Many Requests: retry after 1", false},
		{telegram.FaultUnauthorized, "Unauthorized", false},
		{telegram.FaultKicked, "Forbidden: bot was kicked from the supergroup chat", false},
		{telegram.FaultChatNotFound, "Bad Request: chat not found", false},
		{telegram.FaultBadGateway, "broken", false},
		{telegram.FaultReset, "broken", false},
		{telegram.FaultResetAfter, "broken", true},
		{telegram.FaultTruncate, "broken", true},
		{telegram.FaultDelay, "", true},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			s := newSim(t, telegram.Config{})
			if err := s.FailNext("sendMessage", tc.kind, 1); err != nil {
				t.Fatal(err)
			}
			a, err := s.try(soon(t), "sendMessage", "chat_id", "-1001234567890", "text", "x")
			if (err != nil) != (tc.want == "broken") || err == nil && a.Description != tc.want {
				t.Errorf("got %+v, %v", a, err)
			}
			if accepted := len(s.Messages(group)) == 1; accepted != tc.accepted {
				t.Errorf("accepted: %v", accepted)
			}
			s.wants(s.send("after"), "")
			if st := s.Stats(); st.Faults[string(tc.kind)] != 1 {
				t.Errorf("got %+v", st)
			}
		})
	}
}

func TestHangingRequestsEnd(t *testing.T) {
	for name, end := range map[string]func(s *sim, leave context.CancelFunc){
		"the client leaves":       func(_ *sim, leave context.CancelFunc) { leave() },
		"the faults are replaced": func(s *sim, _ context.CancelFunc) { _ = s.SetFaults() },
		"the server closes":       func(s *sim, _ context.CancelFunc) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, telegram.Config{})
			if err := s.SetFaults(telegram.Fault{Kind: telegram.FaultHang, Methods: []string{"GETME"}}); err != nil {
				t.Fatal(err)
			}
			ctx, leave := context.WithCancel(soon(t))
			defer leave()
			ended := make(chan error, 1)
			go func() {
				_, err := s.try(ctx, "getMe")
				ended <- err
			}()
			s.until(func() bool { return s.Stats().Faults["hang"] == 1 })
			s.wants(s.send("others go on"), "")
			end(s, leave)
			if err := <-ended; err == nil {
				t.Error("it was answered")
			}
		})
	}
}

func TestFaultSelection(t *testing.T) {
	s := newSim(t, telegram.Config{})
	err := s.SetFaults(telegram.Fault{Kind: telegram.FaultInternal, Methods: []string{"sendMessage"}, ChatID: group,
		Skip: 1, Every: 2, Times: 2})
	if err != nil {
		t.Fatal(err)
	}
	pattern := ""
	for range 8 {
		if s.send("x").OK {
			pattern += "."
		} else {
			pattern += "F"
		}
	}
	if pattern != ".F.F...." {
		t.Errorf("got %s", pattern)
	}
	if left := s.Faults(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestRevokedToken(t *testing.T) {
	s := newSim(t, telegram.Config{})
	s.SetToken("123456:ANOTHER-ONE")
	s.wants(s.send("x"), "Unauthorized")
}

// The control API is what tests in other processes use; each route is called once, as they would.
func TestControlAPI(t *testing.T) {
	s := newSim(t, telegram.Config{})
	const chat = `"chat_id":-1001234567890`
	for _, tc := range []struct {
		method, path, body string
		want               string // a part of the answer
	}{
		{"GET", "/sim/chats", "", `"title":"Feedback"`},
		{"POST", "/sim/chats", `{"id":-7,"title":"Small"}`, `"type":""`},
		{"POST", "/sim/chats", `{"id":-7,"type":"private"}`, `does not fit`},
		{"POST", "/sim/migrate", `{"from":-7,"to":-1000000000007}`, `"to":-1000000000007`},
		{"POST", "/sim/messages", `{` + chat + `,"id":41,"html":"<b>Old</b>","buttons":[[{"text":"Read","callback_data":"status_7_read"}]]}`, `"id":41`},
		{"GET", "/sim/messages?chat=-1001234567890&min=1&wait=1s", "", `"html":"\u003cb\u003eOld\u003c/b\u003e"`},
		{"GET", "/sim/messages?chat=x", "", `is not a number`},
		{"POST", "/sim/press", `{` + chat + `,"message_id":41,"data":"status_7_read","by":{"id":1001}}`, `"id":"4000000000000000001"`},
		{"POST", "/sim/press", `{` + chat + `,"message_id":41,"data":"other","by":{"id":1001}}`, `has no such button`},
		{"GET", "/sim/callback?id=4000000000000000001", "", `"answered":false`},
		{"POST", "/sim/say", `{` + chat + `,"text":"hello","by":{"id":1001}}`, `"id":42`},
		{"POST", "/sim/say", `{` + chat + `,"txt":"hello"}`, `unknown field`},
		{"DELETE", "/sim/messages?chat=-1001234567890&id=42", "", `{}`},
		{"GET", "/sim/state?chat=-1001234567890", "", `"present":[41]`},
		{"GET", "/sim/stats", "", `"presses":1`},
		{"PUT", "/sim/faults", `[{"kind":"reset","times":3}]`, `"kind":"reset"`},
		{"PUT", "/sim/faults", `[{"kind":"rain"}]`, `unknown fault`},
		{"GET", "/sim/faults", "", `"times":3`},
		{"PUT", "/sim/limits", `{"group":{"messages":20,"window":"1m"}}`, `"window":"1m0s"`},
		{"PUT", "/sim/limits", `{"group":{"messages":20}}`, `needs a window`},
		{"GET", "/sim/requests?limit=1", "", `[]`},
		{"PUT", "/sim/token", `{"token":"123456:ANOTHER-ONE"}`, `{}`},
		{"GET", "/", "", "<!doctype html>"},
		{"GET", "/page/page.js", "", "textContent"},
	} {
		r, err := http.NewRequestWithContext(soon(t), tc.method, s.url+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if !strings.Contains(string(raw), tc.want) {
			t.Errorf("%s %s %s: got %.300s", tc.method, tc.path, tc.body, raw)
		}
	}
}

func TestRequestsAreLoggedWithoutTheToken(t *testing.T) {
	s := newSim(t, telegram.Config{})
	s.send("x")
	s.send("<x", "parse_mode", "HTML")
	log := s.Requests(0)
	if len(log) != 2 || log[0].Method != "sendmessage" || log[0].Params["text"] != "x" || log[0].Code != 200 ||
		log[1].Code != 400 || log[1].Duration > time.Minute {
		t.Errorf("got %+v", log)
	}
}
