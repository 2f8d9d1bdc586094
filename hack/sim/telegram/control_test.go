// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// control calls the control API and returns what it says.
func (s *sim) control(method, path, body string) (status int, answer string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestPeopleByTheControlAPI(t *testing.T) {
	s := newSim(t, telegram.Config{})
	for _, tc := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/sim/say", `{"chat_id":1003,"by":{"id":1003},"text":"see","media":{"kind":"photo"}}`, 200},
		{"POST", "/sim/say", `{"chat_id":1003,"by":{"id":1003}}`, 400},
		{"POST", "/sim/say", `{"chat_id":-5,"by":{"id":1003},"text":"x"}`, 404},
		{"POST", "/sim/edit", `{"chat_id":1003,"message_id":1,"text":"look"}`, 200},
		{"POST", "/sim/edit", `{"chat_id":1003,"message_id":9,"text":"look"}`, 404},
		{"PUT", "/sim/members", fmt.Sprintf(`{"chat_id":%d,"by":{"id":1003},"status":"administrator"}`, group), 200},
		{"PUT", "/sim/members", fmt.Sprintf(`{"chat_id":%d,"by":{"id":1003},"status":"boss"}`, group), 400},
	} {
		if status, answer := s.control(tc.method, tc.path, tc.body); status != tc.status {
			t.Errorf("%s %s %s: %d %s", tc.method, tc.path, tc.body, status, answer)
		}
	}
	if m, ok := s.Message(visitor.ID, 1); !ok || m.Text != "look" || !m.Edited || m.Media == nil {
		t.Errorf("the message is %+v", m)
	}
	s.wants(s.call("setMyCommands", "commands", `[{"command":"stats","description":"d"}]`, "scope", `{"type":"all_chat_administrators"}`), "")
	for person, shown := range map[int64]bool{visitor.ID: true, 1002: false} {
		_, state := s.control("GET", fmt.Sprintf("/sim/state?chat=%d&me=%d", group, person), "")
		if strings.Contains(state, `"commands":[{"command":"stats"`) != shown {
			t.Errorf("person %d is shown %.200s", person, state)
		}
	}
}
