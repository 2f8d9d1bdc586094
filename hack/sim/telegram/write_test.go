// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// received are the updates of a getUpdates answer as the library reads them.
func (s *sim) received() (updates []models.Update) {
	s.t.Helper()
	if err := json.Unmarshal(s.call("getUpdates").Result, &updates); err != nil {
		s.t.Fatal(err)
	}
	return updates
}

func TestMediaReachTheBot(t *testing.T) {
	s := newSim(t, telegram.Config{})
	for _, kind := range []telegram.MediaKind{telegram.Photo, telegram.Document, telegram.Voice, telegram.Video, telegram.VideoNote,
		telegram.Audio, telegram.Animation, telegram.Sticker} {
		if _, err := s.Write(telegram.Incoming{ChatID: visitor.ID, By: visitor, Text: "look at #this", Media: &telegram.Media{Kind: kind}}); err != nil {
			t.Fatal(err)
		}
	}
	var kinds []bool
	for _, u := range s.received() {
		m := u.Message
		kinds = append(kinds, len(m.Photo) == 2, m.Document != nil, m.Voice != nil, m.Video != nil, m.VideoNote != nil, m.Audio != nil,
			m.Animation != nil, m.Sticker != nil)
		if m.Text != "" || m.Caption != "look at #this" || len(m.CaptionEntities) != 1 {
			t.Errorf("text %q, caption %q with %v", m.Text, m.Caption, m.CaptionEntities)
		}
	}
	for i, got := range kinds {
		want := i%8 == i/8 || i == 6*8+1 // an animation has its file as a document, too
		if got != want {
			t.Errorf("message %d, kind %d: %v", i/8, i%8, got)
		}
	}
	if _, err := s.Write(telegram.Incoming{ChatID: visitor.ID, By: visitor}); err == nil {
		t.Error("an empty message was sent")
	}
	if _, err := s.Write(telegram.Incoming{ChatID: visitor.ID, By: visitor, Media: &telegram.Media{Kind: "hologram"}}); err == nil {
		t.Error("an unknown kind of media was sent")
	}
}

func TestAlbums(t *testing.T) {
	s := newSim(t, telegram.Config{})
	for range 2 {
		if _, err := s.Album(visitor.ID, visitor, "caption", telegram.Media{Kind: telegram.Photo}, telegram.Media{Kind: telegram.Video}); err != nil {
			t.Fatal(err)
		}
	}
	var groups, captions []string
	for _, u := range s.received() {
		groups, captions = append(groups, u.Message.MediaGroupID), append(captions, u.Message.Caption)
	}
	if groups[0] == "" || groups[0] != groups[1] || groups[1] == groups[2] || groups[2] != groups[3] {
		t.Errorf("albums %q", groups)
	}
	if !slices.Equal(captions, []string{"caption", "", "caption", ""}) {
		t.Errorf("captions %q", captions)
	}
}

func TestPeopleEditTheirMessages(t *testing.T) {
	s := newSim(t, telegram.Config{})
	id := s.say(visitor.ID, "befor", visitor)
	if err := s.Edit(visitor.ID, id, "before"); err != nil {
		t.Fatal(err)
	}
	got := s.received()
	if len(got) != 2 || got[1].EditedMessage == nil || got[1].EditedMessage.Text != "before" || got[1].EditedMessage.ID != id || got[1].EditedMessage.EditDate == 0 {
		t.Errorf("got %+v", got)
	}
	s.send("the bot's")
	if err := s.Edit(group, 1, "mine"); err == nil {
		t.Error("a person edited a message of the bot's")
	}
}

func TestAnonymousAdministrators(t *testing.T) {
	s := newSim(t, telegram.Config{})
	if _, err := s.Write(telegram.Incoming{ChatID: group, By: support, Text: "/stats", Anonymous: true}); err != nil {
		t.Fatal(err)
	}
	m := s.received()[0].Message
	if m.SenderChat == nil || m.SenderChat.ID != group || m.From.Username != "GroupAnonymousBot" || !m.From.IsBot {
		t.Errorf("from %+v, sender chat %+v", m.From, m.SenderChat)
	}
}

func TestMembers(t *testing.T) {
	s := newSim(t, telegram.Config{})
	status := func(id int64) string {
		var m struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(s.inGroup("getChatMember", "user_id", fmt.Sprint(id)).Result, &m); err != nil {
			t.Fatal(err)
		}
		return m.Status
	}
	if status(support.ID) != "creator" || status(visitor.ID) != "member" {
		t.Errorf("at first: %s, %s", status(support.ID), status(visitor.ID))
	}
	if err := s.SetMember(group, visitor, telegram.Administrator, true); err != nil {
		t.Fatal(err)
	}
	if status(visitor.ID) != "administrator" {
		t.Errorf("then: %s", status(visitor.ID))
	}
	admins := string(s.inGroup("getChatAdministrators").Result)
	if strings.Count(admins, `"status"`) != 3 || !strings.Contains(admins, `"is_anonymous":true`) { // two people and the bot
		t.Errorf("administrators: %s", admins)
	}
	if err := s.SetMember(group, visitor, telegram.Left, false); err != nil {
		t.Fatal(err)
	}
	if status(visitor.ID) != "left" {
		t.Errorf("at last: %s", status(visitor.ID))
	}
	if err := s.SetMember(group, visitor, "boss", false); err == nil {
		t.Error("an unknown status was taken")
	}
}

func TestPeopleBlockTheBot(t *testing.T) {
	s := newSim(t, telegram.Config{})
	to := func(id int64) answer { return s.call("sendMessage", "chat_id", fmt.Sprint(id), "text", "x") }
	s.wants(to(visitor.ID), "Forbidden: bot can't initiate conversation with a user")
	s.wants(to(777), "Bad Request: chat not found")
	s.say(visitor.ID, "/start", visitor)
	s.wants(to(visitor.ID), "")
	if err := s.Block(visitor.ID); err != nil {
		t.Fatal(err)
	}
	s.wants(to(visitor.ID), "Forbidden: bot was blocked by the user")
	if err := s.Unblock(visitor.ID); err != nil {
		t.Fatal(err)
	}
	s.wants(to(visitor.ID), "")
	got := s.received()
	if len(got) != 3 || got[1].MyChatMember == nil || got[1].MyChatMember.From.ID != visitor.ID ||
		got[1].MyChatMember.NewChatMember.Type != models.ChatMemberTypeBanned || got[2].MyChatMember.NewChatMember.Type != models.ChatMemberTypeMember {
		t.Errorf("got %+v", got)
	}
	if err := s.Block(777); err == nil {
		t.Error("somebody without a chat blocked the bot")
	}
}

func TestPrivacyMode(t *testing.T) {
	s := newSim(t, telegram.Config{})
	if err := s.AddChat(telegram.Chat{ID: group, BotStatus: telegram.Member}); err != nil {
		t.Fatal(err)
	}
	s.say(group, "unseen", support)
	if got := string(s.call("getMe").Result); strings.Contains(got, `"can_read_all_group_messages":true`) {
		t.Errorf("getMe: %s", got)
	}
	s.SetPrivacy(false)
	s.say(group, "seen", support)
	if got := string(s.call("getMe").Result); !strings.Contains(got, `"can_read_all_group_messages":true`) {
		t.Errorf("getMe: %s", got)
	}
	_, kinds := s.updates(s.call("getUpdates"))
	if !slices.Equal(kinds, []string{"my_chat_member", "message"}) {
		t.Errorf("updates %v", kinds)
	}
}

func TestCommandsByScopeAndLanguage(t *testing.T) {
	s := newSim(t, telegram.Config{})
	set := func(command string, pairs ...string) {
		t.Helper()
		list := fmt.Sprintf(`[{"command":%q,"description":"d"}]`, command)
		s.wants(s.call("setMyCommands", append([]string{"commands", list}, pairs...)...), "")
	}
	set("everybody")
	set("private", "scope", `{"type":"all_private_chats"}`)
	set("privat", "scope", `{"type":"all_private_chats"}`, "language_code", "de")
	set("admins", "scope", fmt.Sprintf(`{"type":"chat_administrators","chat_id":%d}`, group))
	for _, tc := range []struct {
		scope    telegram.CommandScope
		language string
		want     string
	}{
		{telegram.CommandScope{}, "", "everybody"},
		{telegram.CommandScope{Type: "all_private_chats"}, "", "private"},
		{telegram.CommandScope{Type: "all_private_chats"}, "de", "privat"},
		{telegram.CommandScope{Type: "all_private_chats"}, "fr", ""},
		{telegram.CommandScope{Type: "chat_administrators", ChatID: group}, "", "admins"},
	} {
		got := ""
		if list := s.Commands(tc.scope, tc.language); len(list) == 1 {
			got = list[0].Command
		}
		if got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
	s.wants(s.call("setMyCommands", "commands", `[]`, "scope", `{"type":"friends"}`), "Bad Request: can't parse BotCommandScope: unsupported type specified")
	s.wants(s.call("deleteMyCommands", "scope", `{"type":"all_private_chats"}`), "")
	if list := s.Commands(telegram.CommandScope{Type: "all_private_chats"}, ""); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

func TestCopyMessage(t *testing.T) {
	s := newSim(t, telegram.Config{})
	photo, err := s.Write(telegram.Incoming{ChatID: visitor.ID, By: visitor, Text: "see", Media: &telegram.Media{Kind: telegram.Photo}})
	if err != nil {
		t.Fatal(err)
	}
	copied := func(pairs ...string) answer {
		return s.inGroup("copyMessage", append([]string{"from_chat_id", fmt.Sprint(visitor.ID), "message_id", fmt.Sprint(photo)}, pairs...)...)
	}
	s.wants(copied(), "")
	if m := s.last(); m.Text != "see" || m.Media == nil || m.Media.Kind != telegram.Photo || m.From.ID != s.Bot().ID {
		t.Errorf("copied %+v", m)
	}
	s.wants(copied("caption", "<b>other</b>", "parse_mode", "HTML", "reply_parameters", `{"message_id":1}`), "")
	if m := s.last(); m.Text != "other" || len(m.Entities) != 1 || m.ReplyTo != 1 {
		t.Errorf("copied %+v", m)
	}
	id := fmt.Sprint(s.last().ID)
	s.wants(s.inGroup("editMessageCaption", "message_id", id, "caption", "<i>new</i>", "parse_mode", "HTML"), "")
	if m := s.last(); m.Text != "new" || m.Media == nil || !m.Edited {
		t.Errorf("edited %+v", m)
	}
	s.send("a text")
	s.wants(s.inGroup("editMessageCaption", "message_id", fmt.Sprint(s.last().ID), "caption", "x"), "Bad Request: there is no caption in the message to edit")
	s.wants(copied("caption", strings.Repeat("x", 1025)), "Bad Request: message caption is too long")
	s.wants(copied("message_id", "999"), "Bad Request: message to copy not found")
	s.wants(copied("from_chat_id", "12345"), "Bad Request: chat not found")
	if err := s.AddChat(telegram.Chat{ID: group, NoMedia: true}); err != nil {
		t.Fatal(err)
	}
	s.wants(copied(), "Bad Request: not enough rights to send photos to the chat")
	s.wants(s.send("text"), "")
	if n := s.Stats().Copied; n != 2 {
		t.Errorf("%d copies", n)
	}
}

func TestReactions(t *testing.T) {
	s := newSim(t, telegram.Config{})
	id := fmt.Sprint(s.say(group, "hello", support))
	s.wants(s.inGroup("setMessageReaction", "message_id", id, "reaction", `[{"type":"emoji","emoji":"👌"}]`), "")
	if m := s.last(); m.Reaction != "👌" {
		t.Errorf("reaction %q", m.Reaction)
	}
	s.wants(s.inGroup("setMessageReaction", "message_id", id), "")
	if m := s.last(); m.Reaction != "" {
		t.Errorf("reaction %q", m.Reaction)
	}
	s.wants(s.inGroup("setMessageReaction", "message_id", id, "reaction", `[{"type":"emoji","emoji":"🪐"}]`), "Bad Request: REACTION_INVALID")
	s.wants(s.inGroup("setMessageReaction", "message_id", "99"), "Bad Request: message to react not found")
}
