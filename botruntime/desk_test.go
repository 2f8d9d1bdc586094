// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	simsite "github.com/feedbackbridge/feedbackbridge/hack/sim/site"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

var (
	boss     = telegram.User{ID: 1001, FirstName: "Boss", Username: "boss", LanguageCode: "en"}
	somebody = telegram.User{ID: 2001, FirstName: "Somebody", LanguageCode: "en"}
)

// tell has the site send a frame, which the bot has to acknowledge.
func (w *world) tell(frameType string, data map[string]any) {
	w.t.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := w.site.SendOut(simsite.Outgoing{Type: frameType, Data: body})
	if err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the bot acknowledges a "+frameType, func() bool {
		sent, ok := w.site.Sent(id)
		return ok && sent.Acks > 0
	})
}

// seen waits for a message in a chat, and returns it.
func (w *world) seen(chatID int64, what string, is func(m telegram.Message) bool) (found telegram.Message) {
	w.t.Helper()
	w.eventually(what, func() bool {
		messages := w.telegram.Messages(chatID)
		i := slices.IndexFunc(messages, is)
		if i >= 0 {
			found = messages[i]
		}
		return i >= 0
	})
	return found
}

// heard waits until the site was told something, and returns it.
func (w *world) heard(frameType string, is func(data map[string]any) bool) (data map[string]any) {
	w.t.Helper()
	w.eventually("the site is told a "+frameType, func() bool {
		for _, r := range w.site.Received(frameType) {
			data = map[string]any{}
			if json.Unmarshal(r.Data, &data) == nil && is(data) {
				return true
			}
		}
		return false
	})
	return data
}

func says(text string) func(telegram.Message) bool {
	return func(m telegram.Message) bool { return strings.Contains(m.Text, text) }
}

// The whole way in both directions, by version 2: a ticket with a file, statuses and replies from either side, and a ticket
// that was written to the bot.
func TestTheChatAndTheSiteSeeTheSame(t *testing.T) {
	w := newWorld(t)
	if err := w.site.SetProtocol(simsite.ProtocolV2); err != nil {
		t.Fatal(err)
	}
	stop := w.start()
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	picture := []byte("\x89PNG\r\n\x1a\n and so on")
	w.tell("new_feedback", map[string]any{"feedback_id": 1, "category": "bug", "message": "With a picture", "locale": "ru",
		"attachments": []any{map[string]any{"name": "a.png", "mime": "image/png", "size": len(picture), "base64": base64.StdEncoding.EncodeToString(picture)}}})
	post := w.seen(staffChat, "the ticket is posted", says("With a picture"))
	file := w.seen(staffChat, "its file follows", func(m telegram.Message) bool { return m.Media != nil && m.ReplyTo == post.ID })
	if content, _ := w.telegram.File(file.Media.FileID); string(content) != string(picture) {
		t.Errorf("the file has %q", content)
	}

	w.tell("feedback_status", map[string]any{"feedback_id": 1, "status": "in_progress", "actor": map[string]any{"name": "Olga"}, "at": time.Now().UTC()})
	w.seen(staffChat, "the post shows the site's status", says("Olga"))
	w.tell("feedback_reply", map[string]any{"ticket_id": "ticket_site_1", "from": "staff", "text": "An answer at the site", "author": map[string]any{"name": "Olga"}, "at": time.Now().UTC()})
	w.seen(staffChat, "the site's answer stands under the ticket", func(m telegram.Message) bool {
		return strings.Contains(m.Text, "An answer at the site") && m.ReplyTo == post.ID
	})
	w.heard("feedback_status", func(d map[string]any) bool { return d["status"] == "replied" && d["ticket_id"] == "ticket_site_1" })

	photo := &telegram.Media{Kind: telegram.Document, FileName: "how.txt", MIMEType: "text/plain", Content: []byte("Like this")}
	id, err := w.telegram.Write(telegram.Incoming{ChatID: staffChat, By: boss, ReplyTo: post.ID, Text: "An answer in the chat", Media: photo})
	if err != nil {
		t.Fatal(err)
	}
	reply := w.heard("feedback_reply", func(d map[string]any) bool { return d["text"] == "An answer in the chat" })
	attachment := reply["attachments"].([]any)[0].(map[string]any)
	if reply["from"] != "staff" || reply["feedback_id"] != 1.0 || attachment["base64"] != base64.StdEncoding.EncodeToString([]byte("Like this")) ||
		reply["author"].(map[string]any)["username"] != "boss" {
		t.Errorf("the site was told %v", reply)
	}
	w.seen(staffChat, "an answer that the author reads at the site counts", func(m telegram.Message) bool { return m.ID == id && m.Reaction != "" })

	for _, text := range []string{"/feedback", "/skip", "Bug", "Written to the bot"} {
		if _, err := w.telegram.Say(somebody.ID, text, somebody); err != nil {
			t.Fatal(err)
		}
	}
	created := w.heard("feedback_created", func(d map[string]any) bool { return d["message"] == "Written to the bot" })
	if created["ticket_id"] != "ticket_tg_1" || created["locale"] != "en" || created["telegram_id"] != float64(somebody.ID) {
		t.Errorf("the site was told %v", created)
	}
	w.tell("feedback_reply", map[string]any{"ticket_id": "ticket_tg_1", "from": "staff", "text": "To somebody", "author": map[string]any{}, "at": time.Now().UTC()})
	w.seen(somebody.ID, "the author gets the site's answer", says("To somebody"))
}
