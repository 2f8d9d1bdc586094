// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// Message is a message as a person sees it.
type Message struct {
	ID       int               `json:"id"`
	ChatID   int64             `json:"chat_id"`
	ThreadID int               `json:"thread_id,omitempty"`
	From     User              `json:"from"`
	Date     time.Time         `json:"date"`
	EditDate time.Time         `json:"edit_date,omitzero"`
	Text     string            `json:"text"`               // of media, the caption
	Entities []richtext.Entity `json:"entities,omitempty"` // offsets in UTF-16 units
	Buttons  [][]Button        `json:"buttons,omitempty"`
	ReplyTo  int               `json:"reply_to,omitempty"`
	Edited   bool              `json:"edited,omitempty"` // shown as such: the text was changed, not just the buttons
	Edits    int               `json:"edits,omitempty"`  // how often the bot changed text or buttons
	Preview  bool              `json:"preview,omitempty"`
	Media    *Media            `json:"media,omitempty"`
	AlbumID  string            `json:"album_id,omitempty"` // the same for all parts of an album
	Reaction string            `json:"reaction,omitempty"` // the bot's
	// Anonymous means that an administrator wrote it in the group's name.
	Anonymous bool `json:"anonymous,omitempty"`
	// Service says what it tells of the chat, where it is no person's message.
	Service  string `json:"service,omitempty"`
	Revision int64  `json:"revision"` // grows with every change of anything
}

// HTML returns the text with its formatting in the HTML parse mode.
func (m Message) HTML() string { return richtext.Text{Text: m.Text, Entities: m.Entities}.HTML() }

// message is a Message with what only the Bot API shows. It is replaced, never changed in place, once published in an
// update; it is guarded by Server.mu.
type message struct {
	Message
	preview json.RawMessage // link_preview_options as given
	service service
}

func (m *message) content() richtext.Text { return richtext.Text{Text: m.Text, Entities: m.Entities} }

// Messages returns a chat's messages, oldest first; none for an unknown chat.
func (s *Server) Messages(chatID int64) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.chats[chatID]
	if !ok {
		return nil
	}
	out := make([]Message, len(ch.messages))
	for i, m := range ch.messages {
		out[i] = m.Message
	}
	return out
}

// Message returns one message.
func (s *Server) Message(chatID int64, id int) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.chats[chatID]; ok {
		if m := ch.find(id); m != nil {
			return m.Message, true
		}
	}
	return Message{}, false
}

func (c *chat) index(id int) (int, bool) {
	return slices.BinarySearchFunc(c.messages, id, func(m *message, id int) int { return m.ID - id })
}

func (c *chat) find(id int) *message {
	if i, ok := c.index(id); ok {
		return c.messages[i]
	}
	return nil
}

// post gives a message its id and date and puts it into the chat.
func (s *Server) post(c *chat, m *message) {
	switch {
	case m.ID > 0: // put there by a test
		c.lastID = max(c.lastID, m.ID)
		s.nextID = max(s.nextID, m.ID)
	case c.Type == Private || c.Type == Group:
		s.nextID++
		m.ID, c.lastID = s.nextID, s.nextID
	default:
		c.lastID++
		m.ID = c.lastID
	}
	m.ChatID = c.ID
	if m.Date.IsZero() {
		m.Date = s.clock()
	}
	i, _ := c.index(m.ID)
	c.messages = slices.Insert(c.messages, i, m)
	if extra := len(c.messages) - s.maxMessages; extra > 0 {
		clear(c.messages[:extra]) // let go of what the array still holds
		c.messages = c.messages[extra:]
	}
	m.Revision = s.rev.Grow()
}

// remove takes a message out of the chat.
func (s *Server) remove(c *chat, id int) bool {
	i, ok := c.index(id)
	if ok {
		c.messages = slices.Delete(c.messages, i, i+1)
		s.rev.Grow()
	}
	return ok
}
