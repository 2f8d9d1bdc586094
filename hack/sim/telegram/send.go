// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"hash/maphash"
	"reflect"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// textSeed seeds the hashes by which repeated posts are counted.
var textSeed = maphash.MakeSeed()

func (s *Server) sendMessage(c *call) (any, error) {
	p := c.params
	text, err := composeText(p)
	if err != nil {
		return nil, err
	}
	if richtext.Length(text.Text) > maxText {
		return nil, badRequest("message is too long")
	}
	buttons, err := parseMarkup(p["reply_markup"], false)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(p)
	if err != nil {
		return nil, err
	}
	if err := ch.writable(); err != nil {
		return nil, err
	}
	reply, err := ch.replyTarget(p)
	if err != nil {
		return nil, err
	}
	thread, err := ch.threadFor(p, reply)
	if err != nil {
		return nil, err
	}
	if err := s.admit(ch); err != nil {
		return nil, err
	}
	text = text.KeepMentions(s.person)
	m := &message{Message: Message{ThreadID: thread, From: s.bot, Text: text.Text, Entities: text.Entities,
		Buttons: buttons, ReplyTo: reply}}
	m.setPreview(p)
	s.post(ch, m)
	s.countSent(ch, text.Text)
	return ch.api(m, true), nil
}

// countSent counts a post, and whether the bot posted the same text to the chat before.
func (s *Server) countSent(ch *chat, text string) {
	s.stats.Sent++
	h := maphash.String(textSeed, text)
	if _, again := ch.sent[h]; again {
		s.stats.Repeats++
	}
	if len(ch.sent) >= s.maxMessages {
		clear(ch.sent)
	}
	ch.sent[h] = struct{}{}
}

// replyTarget returns the id of the message that a new one answers, 0 for none.
func (c *chat) replyTarget(p params) (int, error) {
	var r struct {
		MessageID int             `json:"message_id"`
		ChatID    json.RawMessage `json:"chat_id"`
		Anyway    bool            `json:"allow_sending_without_reply"`
	}
	if raw := p["reply_parameters"]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &r); err != nil {
			return 0, badRequest("can't parse reply parameters JSON object")
		}
	} else {
		r.MessageID, r.Anyway = p.int("reply_to_message_id", 0), p.bool("allow_sending_without_reply")
	}
	if r.MessageID == 0 || c.find(r.MessageID) != nil {
		return r.MessageID, nil
	}
	if r.Anyway {
		return 0, nil
	}
	return 0, badRequest("message to be replied not found")
}

// setPreview keeps link_preview_options and works out whether a reader would see a preview.
func (m *message) setPreview(p params) {
	var o struct {
		Disabled bool `json:"is_disabled"`
	}
	m.preview = nil
	if raw := p["link_preview_options"]; raw != "" && json.Unmarshal([]byte(raw), &o) == nil {
		m.preview = json.RawMessage(raw)
	}
	if p.bool("disable_web_page_preview") && m.preview == nil {
		o.Disabled, m.preview = true, json.RawMessage(`{"is_disabled":true}`)
	}
	m.Preview = false
	for _, e := range m.Entities {
		if (e.Type == "url" || e.Type == "text_link") && !o.Disabled {
			m.Preview = true
		}
	}
}

func (s *Server) editMessageText(c *call) (any, error) {
	p := c.params
	text, err := composeText(p)
	if err != nil {
		return nil, err
	}
	if richtext.Length(text.Text) > maxText {
		return nil, badRequest("MESSAGE_TOO_LONG")
	}
	return s.edit(p, func(m *message) error {
		if m.Media != nil {
			return badRequest("there is no text in the message to edit")
		}
		text = text.KeepMentions(s.person)
		m.Edited = m.Edited || !richtext.Equal(m.content(), text)
		m.Text, m.Entities = text.Text, text.Entities
		m.setPreview(p)
		return nil
	})
}

func (s *Server) editMessageReplyMarkup(c *call) (any, error) {
	return s.edit(c.params, func(*message) error { return nil })
}

// edit replaces a message of the bot by a changed copy. The keyboard is replaced by the request's, or removed.
func (s *Server) edit(p params, change func(*message) error) (any, error) {
	buttons, err := parseMarkup(p["reply_markup"], true)
	if err != nil {
		return nil, err
	}
	if p["inline_message_id"] != "" {
		return nil, badRequest("MESSAGE_ID_INVALID")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(p)
	if err != nil {
		return nil, err
	}
	id := p.int("message_id", 0)
	if id <= 0 {
		return nil, badRequest("message identifier is not specified")
	}
	i, ok := ch.index(id)
	if !ok {
		return nil, badRequest("message to edit not found")
	}
	old := ch.messages[i]
	if old.From.ID != s.bot.ID {
		return nil, badRequest("message can't be edited")
	}
	changed := *old
	changed.Buttons = buttons
	if err := change(&changed); err != nil {
		return nil, err
	}
	if richtext.Equal(old.content(), changed.content()) && reflect.DeepEqual(old.Buttons, changed.Buttons) {
		return nil, badRequest("message is not modified: specified new message content and reply markup are exactly " +
			"the same as a current content and reply markup of the message")
	}
	if err := s.admit(ch); err != nil {
		return nil, err
	}
	changed.EditDate = s.clock()
	changed.Edits++
	changed.Revision = s.rev.Grow()
	ch.messages[i] = &changed
	s.stats.Edited++
	return ch.api(&changed, true), nil
}

func (s *Server) deleteMessage(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	m := ch.find(c.params.int("message_id", 0))
	if m == nil {
		return nil, badRequest("message to delete not found")
	}
	if m.From.ID != s.bot.ID && ch.BotStatus != Administrator {
		return nil, badRequest("message can't be deleted")
	}
	return s.remove(ch, m.ID), nil
}

func (s *Server) sendChatAction(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	switch c.params["action"] {
	case "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
		"choose_sticker", "find_location", "record_video_note", "upload_video_note":
		return true, ch.writable()
	}
	return nil, badRequest("wrong parameter action in request")
}
