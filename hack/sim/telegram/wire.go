// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// The types of this file are the Bot API's own shapes, as small as the simulator needs them: go-telegram/bot's have
// hundreds of fields, which costs more to encode than all the rest of a request.

type apiChat struct {
	ID        int64  `json:"id"`
	Type      string `json:"type"`
	Title     string `json:"title,omitempty"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	IsForum   bool   `json:"is_forum,omitempty"`
}

type apiMessage struct {
	MessageID       int               `json:"message_id"`
	MessageThreadID int               `json:"message_thread_id,omitempty"`
	From            *User             `json:"from,omitempty"`
	SenderChat      *apiChat          `json:"sender_chat,omitempty"`
	Chat            apiChat           `json:"chat"`
	Date            int64             `json:"date"`
	EditDate        int64             `json:"edit_date,omitempty"`
	IsTopicMessage  bool              `json:"is_topic_message,omitempty"`
	ReplyToMessage  *apiMessage       `json:"reply_to_message,omitempty"`
	Text            string            `json:"text,omitempty"`
	Entities        []richtext.Entity `json:"entities,omitempty"`
	LinkPreview     json.RawMessage   `json:"link_preview_options,omitempty"`
	ReplyMarkup     *keyboard         `json:"reply_markup,omitempty"`
}

// apiService is a message about the chat itself.
type apiService struct {
	apiMessage
	MigrateToChatID   int64 `json:"migrate_to_chat_id,omitempty"`
	MigrateFromChatID int64 `json:"migrate_from_chat_id,omitempty"`
}

type apiCallbackQuery struct {
	ID           string     `json:"id"`
	From         User       `json:"from"`
	Message      apiMessage `json:"message"`
	ChatInstance string     `json:"chat_instance"`
	Data         string     `json:"data"`
}

type apiMemberUpdate struct {
	Chat      apiChat `json:"chat"`
	From      User    `json:"from"`
	Date      int64   `json:"date"`
	OldMember any     `json:"old_chat_member"`
	NewMember any     `json:"new_chat_member"`
}

func (c *chat) apiChat() apiChat {
	a := apiChat{ID: c.ID, Type: c.Type, Title: c.Title, Username: c.Username, IsForum: c.Forum}
	if c.Type == Private {
		a.Title, a.FirstName = "", c.Title
	}
	return a
}

// api returns a message as the Bot API shows it; withReply adds the message that it answers, which Telegram shows one
// level deep.
func (c *chat) api(m *message, withReply bool) apiMessage {
	a := apiMessage{MessageID: m.ID, MessageThreadID: m.ThreadID, IsTopicMessage: m.ThreadID != 0,
		Chat: c.apiChat(), Date: m.Date.Unix(), Text: m.Text, Entities: m.Entities, LinkPreview: m.preview}
	if !m.EditDate.IsZero() {
		a.EditDate = m.EditDate.Unix()
	}
	if c.Type == Channel {
		sender := a.Chat
		a.SenderChat = &sender
	} else {
		from := m.From
		a.From = &from
	}
	if m.Buttons != nil {
		a.ReplyMarkup = &keyboard{Rows: m.Buttons}
	}
	if withReply && m.ReplyTo != 0 {
		if original := c.find(m.ReplyTo); original != nil {
			r := c.api(original, false)
			a.ReplyToMessage = &r
		}
	}
	return a
}

// service returns the frame of a message about the chat. It takes an id like any other message.
func (s *Server) service(c *chat, by User) apiMessage {
	c.lastID++
	return apiMessage{MessageID: c.lastID, From: &by, Chat: c.apiChat(), Date: s.clock().Unix()}
}
