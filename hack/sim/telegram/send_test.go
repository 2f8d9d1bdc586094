// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

const buttons = `{"inline_keyboard":[[{"text":"Read","callback_data":"status_1_read"},{"text":"Site","url":"example.com"}]]}`

func TestSendMessage(t *testing.T) {
	s := newSim(t, telegram.Config{})
	a := s.send("<b>New</b> #bug", "parse_mode", "HTML", "reply_markup", buttons, "link_preview_options", `{"is_disabled":true}`)
	s.wants(a, "")
	var m struct {
		MessageID   int    `json:"message_id"`
		Text        string `json:"text"`
		ReplyMarkup struct {
			Rows [][]telegram.Button `json:"inline_keyboard"`
		} `json:"reply_markup"`
	}
	if err := json.Unmarshal(a.Result, &m); err != nil {
		t.Fatal(err)
	}
	if m.Text != "New #bug" || len(m.ReplyMarkup.Rows) != 1 || m.ReplyMarkup.Rows[0][1].URL != "http://example.com/" {
		t.Errorf("got %s", a.Result)
	}
	seen, ok := s.Message(group, m.MessageID)
	if !ok || seen.HTML() != "<b>New</b> #bug" || len(seen.Entities) != 2 || seen.Edited {
		t.Errorf("people see %+v", seen)
	}
}

func TestSendMessageRefusals(t *testing.T) {
	s := newSim(t, telegram.Config{})
	for _, tc := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"no text", []string{"chat_id", "-1001234567890"}, "Bad Request: message text is empty"},
		{"blank text", []string{"chat_id", "-1001234567890", "text", " \n"}, "Bad Request: text must be non-empty"},
		{"no chat", []string{"text", "x"}, "Bad Request: chat_id is empty"},
		{"unknown chat", []string{"chat_id", "-5", "text", "x"}, "Bad Request: chat not found"},
		{"4097 units", []string{"chat_id", "-1001234567890", "text", strings.Repeat("x", 4095) + "😀"}, "Bad Request: message is too long"},
		{"4096 units", []string{"chat_id", "-1001234567890", "text", strings.Repeat("x", 4094) + "😀"}, ""},
		{"4096 units after parsing", []string{"chat_id", "-1001234567890", "parse_mode", "html",
			"text", "<b>" + strings.Repeat("&lt;", 4096) + "</b>"}, ""},
		{"bad HTML", []string{"chat_id", "-1001234567890", "text", "<player>", "parse_mode", "HTML"},
			`Bad Request: can't parse entities: Unsupported start tag "player" at byte offset 0`},
		{"the same without parse mode", []string{"chat_id", "-1001234567890", "text", "<player>"}, ""},
		{"bad entity", []string{"chat_id", "-1001234567890", "text", "x", "entities", `[{"type":"bold","offset":0,"length":9}]`},
			"Bad Request: entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9"},
		{"callback data of 65 bytes", []string{"chat_id", "-1001234567890", "text", "x", "reply_markup",
			`{"inline_keyboard":[[{"text":"x","callback_data":"` + strings.Repeat("x", 65) + `"}]]}`}, "Bad Request: BUTTON_DATA_INVALID"},
		{"callback data of 64 bytes, as go-telegram/bot sends it", []string{"chat_id", "-1001234567890", "text", "x", "reply_markup",
			`{"inline_keyboard":[[{"text":"x","callback_data":"` + strings.Repeat("x", 64) + `","copy_text":{"text":""}}]]}`}, ""},
		{"button that does nothing", []string{"chat_id", "-1001234567890", "text", "x", "reply_markup", `{"inline_keyboard":[[{"text":"x"}]]}`},
			"Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"},
		{"markup that is none", []string{"chat_id", "-1001234567890", "text", "x", "reply_markup", `[]`},
			"Bad Request: object expected as reply markup"},
		{"reply to nothing", []string{"chat_id", "-1001234567890", "text", "x", "reply_parameters", `{"message_id":999}`},
			"Bad Request: message to be replied not found"},
		{"reply to nothing, allowed", []string{"chat_id", "-1001234567890", "text", "x", "reply_parameters",
			`{"message_id":999,"allow_sending_without_reply":true}`}, ""},
		{"topic in a chat without topics", []string{"chat_id", "-1001234567890", "text", "x", "message_thread_id", "3"},
			"Bad Request: message thread not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.t = t
			s.wants(s.call("sendMessage", tc.pairs...), tc.want)
		})
	}
}

func TestSendMessageWhereTheBotIsNotWelcome(t *testing.T) {
	for _, tc := range []struct {
		chat telegram.Chat
		want string
	}{
		{telegram.Chat{ID: group, BotStatus: telegram.Kicked}, "Forbidden: bot was kicked from the supergroup chat"},
		{telegram.Chat{ID: -5, BotStatus: telegram.Kicked}, "Forbidden: bot was kicked from the group chat"},
		{telegram.Chat{ID: group, BotStatus: telegram.Left}, "Forbidden: bot is not a member of the supergroup chat"},
		{telegram.Chat{ID: 7, BotStatus: telegram.Kicked}, "Forbidden: bot was blocked by the user"},
		{telegram.Chat{ID: 7, BotStatus: telegram.Left}, "Forbidden: bot can't initiate conversation with a user"},
		{telegram.Chat{ID: group, Muted: true}, "Bad Request: not enough rights to send text messages to the chat"},
		{telegram.Chat{ID: group, Type: telegram.Channel, BotStatus: telegram.Member},
			"Bad Request: need administrator rights in the channel chat"},
	} {
		s := newSim(t, telegram.Config{})
		if err := s.AddChat(tc.chat); err != nil {
			t.Fatal(err)
		}
		id, _ := json.Marshal(tc.chat.ID)
		s.wants(s.call("sendMessage", "chat_id", string(id), "text", "x"), tc.want)
	}
}

func TestEdit(t *testing.T) {
	c := newClock()
	s := newSim(t, telegram.Config{Clock: c.Now})
	s.wants(s.send("<b>a</b>", "parse_mode", "HTML", "reply_markup", buttons), "")
	theirs := s.say(group, "mine", support)
	edit := func(method string, id string, pairs ...string) answer {
		return s.call(method, append([]string{"chat_id", "-1001234567890", "message_id", id}, pairs...)...)
	}
	const same = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same " +
		"as a current content and reply markup of the message"
	s.wants(edit("editMessageText", "1", "text", "<b>a</b>", "parse_mode", "HTML", "reply_markup", buttons), same)
	s.wants(edit("editMessageReplyMarkup", "1", "reply_markup", buttons), same)
	s.wants(edit("editMessageText", "99", "text", "x"), "Bad Request: message to edit not found")
	s.wants(edit("editMessageText", "2", "text", "x"), "Bad Request: message can't be edited")
	s.wants(edit("editMessageText", "1", "text", strings.Repeat("x", 4097)), "Bad Request: MESSAGE_TOO_LONG")
	if theirs != 2 {
		t.Fatalf("the person's message has id %d", theirs)
	}

	c.Advance(time.Minute)
	s.wants(edit("editMessageReplyMarkup", "1"), "")
	if m, _ := s.Message(group, 1); m.Edited || m.Buttons != nil || m.Edits != 1 {
		t.Errorf("after the buttons went: %+v", m)
	}
	s.wants(edit("editMessageText", "1", "text", "a"), "") // only the formatting goes
	m, _ := s.Message(group, 1)
	if !m.Edited || m.Text != "a" || len(m.Entities) != 0 || !m.EditDate.Equal(c.Now()) {
		t.Errorf("after the edit: %+v", m)
	}
}

func TestMigration(t *testing.T) {
	s := newSim(t, telegram.Config{})
	if err := s.AddChat(telegram.Chat{ID: -42, Title: "Small"}); err != nil {
		t.Fatal(err)
	}
	const grown = int64(-1000000000042)
	if err := s.Migrate(-42, grown); err != nil {
		t.Fatal(err)
	}
	a := s.call("sendMessage", "chat_id", "-42", "text", "x")
	s.wants(a, "Bad Request: group chat was upgraded to a supergroup chat")
	if a.Parameters.MigrateToChatID != grown {
		t.Errorf("migrate_to_chat_id %d", a.Parameters.MigrateToChatID)
	}
	s.wants(s.call("sendMessage", "chat_id", "-1000000000042", "text", "x"), "")
}

func TestRepeatsAreCounted(t *testing.T) {
	s := newSim(t, telegram.Config{})
	for _, text := range []string{"a", "b", "a", "a"} {
		s.wants(s.send(text), "")
	}
	if st := s.Stats(); st.Sent != 4 || st.Repeats != 2 {
		t.Errorf("got %+v", st)
	}
}

func TestOldMessagesAreDropped(t *testing.T) {
	s := newSim(t, telegram.Config{MaxMessages: 3})
	for range 10 {
		s.wants(s.send("x"), "")
	}
	if got := s.Messages(group); len(got) != 3 || got[0].ID != 8 || got[2].ID != 10 {
		t.Errorf("kept %+v", got)
	}
}

func TestLimits(t *testing.T) {
	c := newClock()
	s := newSim(t, telegram.Config{Clock: c.Now, Limits: telegram.RealLimits()})
	for range 20 {
		s.wants(s.send("x"), "")
		c.Advance(100 * time.Millisecond)
	}
	a := s.send("x") // two seconds after the first
	s.wants(a, "Too Many Requests: retry after 58")
	if a.ErrorCode != 429 || a.Parameters.RetryAfter != 58 {
		t.Errorf("got %+v", a)
	}
	s.wants(s.call("editMessageText", "chat_id", "-1001234567890", "message_id", "1", "text", "y"),
		"Too Many Requests: retry after 58")
	c.Advance(58*time.Second - time.Millisecond)
	s.wants(s.send("x"), "Too Many Requests: retry after 1")
	c.Advance(time.Millisecond)
	s.wants(s.send("x"), "")
	s.wants(s.send("x"), "Too Many Requests: retry after 1") // the second message leaves the window 0.1 s later
	if st := s.Stats(); st.Sent != 21 || st.TooManyRequests != 4 {
		t.Errorf("got %+v", st)
	}
}

func TestLimitsOfPrivateChatsAndOverAll(t *testing.T) {
	c := newClock()
	s := newSim(t, telegram.Config{Clock: c.Now, Limits: telegram.RealLimits()})
	sent := 0
	for id := int64(1); id <= 31; id++ {
		if err := s.AddChat(telegram.Chat{ID: id}); err != nil {
			t.Fatal(err)
		}
		raw, _ := json.Marshal(id)
		if s.call("sendMessage", "chat_id", string(raw), "text", "x").OK {
			sent++
		}
	}
	if sent != 30 {
		t.Errorf("sent %d in one instant", sent)
	}
	c.Advance(time.Second)
	s.wants(s.call("sendMessage", "chat_id", "1", "text", "x"), "")
	s.wants(s.call("sendMessage", "chat_id", "1", "text", "x"), "Too Many Requests: retry after 1")
}
