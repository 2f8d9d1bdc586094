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
	AuthorSignature string            `json:"author_signature,omitempty"`
	MediaGroupID    string            `json:"media_group_id,omitempty"`
	Text            string            `json:"text,omitempty"`
	Entities        []richtext.Entity `json:"entities,omitempty"`
	Caption         string            `json:"caption,omitempty"`
	CaptionEntities []richtext.Entity `json:"caption_entities,omitempty"`
	*apiMedia
	TopicCreated *apiTopic       `json:"forum_topic_created,omitempty"`
	TopicEdited  *apiTopic       `json:"forum_topic_edited,omitempty"`
	TopicClosed  *struct{}       `json:"forum_topic_closed,omitempty"`
	TopicOpened  *struct{}       `json:"forum_topic_reopened,omitempty"`
	LinkPreview  json.RawMessage `json:"link_preview_options,omitempty"`
	ReplyMarkup  *keyboard       `json:"reply_markup,omitempty"`
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
	a := apiMessage{MessageID: m.ID, MessageThreadID: c.thread(m), IsTopicMessage: m.ThreadID != 0,
		Chat: c.apiChat(), Date: m.Date.Unix(), LinkPreview: m.preview, MediaGroupID: m.AlbumID, apiMedia: m.Media.api()}
	if m.Media == nil {
		a.Text, a.Entities = m.Text, m.Entities
	} else {
		a.Caption, a.CaptionEntities = m.Text, m.Entities
	}
	m.service.fill(&a)
	if !m.EditDate.IsZero() {
		a.EditDate = m.EditDate.Unix()
	}
	switch {
	case c.Type == Channel:
		sender := a.Chat
		a.SenderChat = &sender
	case m.Anonymous:
		sender, from := a.Chat, anonymousAdmin
		a.SenderChat, a.From = &sender, &from
	default:
		from := m.From
		a.From = &from
	}
	if m.Buttons != nil {
		a.ReplyMarkup = &keyboard{Rows: m.Buttons}
	}
	replyTo := m.ReplyTo
	if replyTo == 0 && m.ThreadID != m.ID {
		replyTo = m.ThreadID // in a topic, what answers nothing else answers the message that began it
	}
	if withReply && replyTo != 0 {
		if original := c.find(replyTo); original != nil {
			r := c.api(original, false)
			a.ReplyToMessage = &r
		}
	}
	return a
}

// thread is the topic of a message, or in a supergroup without topics the message that began the thread of answers.
func (c *chat) thread(m *message) int {
	if m.ThreadID != 0 || m.ReplyTo == 0 || c.Type != Supergroup {
		return m.ThreadID
	}
	root := m.ReplyTo
	for {
		before := c.find(root)
		if before == nil || before.ReplyTo == 0 || before.ReplyTo >= root {
			return root
		}
		root = before.ReplyTo
	}
}

// service returns the frame of a message about the chat. It takes an id like any other message.
func (s *Server) service(c *chat, by User) apiMessage {
	c.lastID++
	return apiMessage{MessageID: c.lastID, From: &by, Chat: c.apiChat(), Date: s.clock().Unix()}
}
