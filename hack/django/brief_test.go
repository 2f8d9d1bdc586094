// SPDX-License-Identifier: Apache-2.0

package django

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// briefFeedback is a feedback as the brief's site lists it.
type briefFeedback struct {
	ID           int    `json:"id"`
	Message      string `json:"message"`
	TelegramSent bool   `json:"telegram_sent"`
}

// give has the brief's site create a feedback.
func (w *world) give(fields map[string]any) (id int) {
	w.t.Helper()
	body, err := json.Marshal(fields)
	must(w.t, err)
	response, err := http.Post("http://"+w.site.Address()+"/feedback", "application/json", bytes.NewReader(body))
	must(w.t, err)
	defer response.Body.Close()
	var created briefFeedback
	must(w.t, json.NewDecoder(response.Body).Decode(&created))
	if response.StatusCode != http.StatusCreated {
		w.t.Fatalf("the site answers %s", response.Status)
	}
	return created.ID
}

// sent is what the brief's site knows of a feedback.
func (w *world) sent(id int) bool {
	w.t.Helper()
	response, err := http.Get("http://" + w.site.Address() + "/feedback")
	must(w.t, err)
	defer response.Body.Close()
	var list struct {
		Feedback []briefFeedback `json:"feedback"`
	}
	must(w.t, json.NewDecoder(response.Body).Decode(&list))
	for _, f := range list.Feedback {
		if f.ID == id {
			return f.TelegramSent
		}
	}
	w.t.Fatalf("the site does not know feedback %d", id)
	return false
}

// The site that the brief describes, as literally as it can be run, notices nothing of a bot that knows more than it does.
func TestBriefsSite(t *testing.T) {
	for name, escaped := range map[string]string{"as json.dumps escapes": "1", "unescaped": "0"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plan{kind: Brief, settings: Settings{More: []string{"SITE_ENSURE_ASCII=" + escaped}}})
			w.connected()
			id := w.give(map[string]any{"telegram_id": 999, "telegram_username": "user", "telegram_first_name": "Имя", "nickname": "PlayerNick <&>",
				"category": "bug", "message": "Текст 🎮 \u007f\u2028 \"кавычки\" </script>"})
			ticket := fmt.Sprintf("ticket_site_%d", id)
			p := w.post(ticket)
			for _, part := range []string{"@user", "Имя", "PlayerNick <&>", "Текст 🎮", `"кавычки" </script>`, "#bug"} {
				if !strings.Contains(p.Text, part) {
					t.Errorf("the post lacks %q:\n%s", part, p.Text)
				}
			}
			w.until("telegram_sent is set", func() bool { return w.sent(id) })
			if n := len(w.posts(ticket)); n != 1 {
				t.Errorf("%d posts", n)
			}
		})
	}
}

// Of a feedback without a person, everything but category and text is null.
func TestBriefsSiteWithoutPerson(t *testing.T) {
	w := newWorld(t, plan{kind: Brief})
	w.connected()
	for i := range 20 {
		id := w.give(map[string]any{"category": "other", "message": fmt.Sprintf("Nobody's %d", i)})
		w.until("telegram_sent is set", func() bool { return w.sent(id) })
	}
	if n := len(w.posts("Nobody's")); n != 20 {
		t.Errorf("%d posts, want 20", n)
	}
}
