// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// maxCaption is the longest caption, in UTF-16 units after its markup was parsed.
const maxCaption = 1024

func (s *Server) copyMessage(c *call) (any, error) {
	p := c.params
	buttons, err := parseMarkup(p["reply_markup"], false)
	if err != nil {
		return nil, err
	}
	caption, replaces, err := composeCaption(p)
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
	original, err := s.toCopy(p)
	if err != nil {
		return nil, err
	}
	if ch.NoMedia && original.Media != nil {
		return nil, badRequest("not enough rights to send " + mediaInRefusals[original.Media.Kind] + " to the chat")
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
	m := &message{Message: Message{ThreadID: thread, From: s.bot, Text: original.Text, Entities: original.Entities,
		Media: original.Media, Buttons: buttons, ReplyTo: reply}}
	if replaces && m.Media != nil {
		caption = caption.KeepMentions(s.person)
		m.Text, m.Entities = caption.Text, caption.Entities
	}
	m.setPreview(p)
	s.post(ch, m)
	s.stats.Copied++
	return struct {
		MessageID int `json:"message_id"`
	}{m.ID}, nil
}

// mediaInRefusals is what refusals call kinds of media.
var mediaInRefusals = map[MediaKind]string{Photo: "photos", Document: "documents", Voice: "voice notes", Video: "videos",
	VideoNote: "video notes", Audio: "music", Animation: "animations", Sticker: "stickers"}

// toCopy finds the message that a request has copied.
func (s *Server) toCopy(p params) (*message, error) {
	from, err := s.chatFor(params{"chat_id": p["from_chat_id"]})
	if err != nil {
		return nil, err
	}
	m := from.find(p.int("message_id", 0))
	if m == nil {
		return nil, badRequest("message to copy not found")
	}
	if m.service.any() {
		return nil, badRequest("message can't be copied")
	}
	return m, nil
}

// composeCaption makes of caption, parse_mode and caption_entities what readers will see; given is whether there is a
// caption at all, empty or not.
func composeCaption(p params) (t richtext.Text, given bool, err error) {
	raw, given := p["caption"]
	if raw == "" {
		return t, given, nil
	}
	t, err = composeText(params{"text": raw, "parse_mode": p["parse_mode"], "entities": p["caption_entities"]})
	if err == nil && richtext.Length(t.Text) > maxCaption {
		err = badRequest("message caption is too long")
	}
	return t, given, err
}

func (s *Server) editMessageCaption(c *call) (any, error) {
	caption, _, err := composeCaption(c.params)
	if err != nil {
		return nil, err
	}
	return s.edit(c.params, func(m *message) error {
		if m.Media == nil {
			return badRequest("there is no caption in the message to edit")
		}
		caption = caption.KeepMentions(s.person)
		m.Edited = m.Edited || !richtext.Equal(m.content(), caption)
		m.Text, m.Entities = caption.Text, caption.Entities
		return nil
	})
}

// reactions are the emoji that Telegram takes as reactions.
var reactions = strings.Fields("👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 " +
	"🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡")

func (s *Server) setMessageReaction(c *call) (any, error) {
	var given []struct {
		Type  string `json:"type"`
		Emoji string `json:"emoji"`
	}
	if raw := c.params["reaction"]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &given); err != nil {
			return nil, badRequest("can't parse reaction types JSON object")
		}
	}
	emoji := ""
	if len(given) > 0 {
		emoji = given[0].Emoji
	}
	if len(given) > 1 || emoji != "" && (given[0].Type != "emoji" || !slices.Contains(reactions, emoji)) {
		return nil, badRequest("REACTION_INVALID")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	i, ok := ch.index(c.params.int("message_id", 0))
	if !ok {
		return nil, badRequest("message to react not found")
	}
	changed := *ch.messages[i]
	changed.Reaction = emoji
	changed.Revision = s.rev.Grow()
	ch.messages[i] = &changed
	return true, nil
}
