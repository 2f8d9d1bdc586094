// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// Incoming is what a person writes.
type Incoming struct {
	// ChatID is the chat; a private chat that is not there begins with its first message.
	ChatID int64 `json:"chat_id"`
	// By is who writes. Anonymous hides an administrator behind the group.
	By        User `json:"by"`
	Anonymous bool `json:"anonymous,omitempty"`
	// Text is the text, or the caption of Media.
	Text  string `json:"text"`
	Media *Media `json:"media,omitempty"`
	// AlbumID joins messages with media to an album.
	AlbumID string `json:"album_id,omitempty"`
	// ReplyTo is the message that it answers, ThreadID the topic that it goes to; 0 for none. An answer goes where the message is.
	ReplyTo  int `json:"reply_to,omitempty"`
	ThreadID int `json:"thread_id,omitempty"`
}

// ErrNothingSaid means a message with neither text nor media.
var ErrNothingSaid = errors.New("the message is empty")

// Say writes text to a chat in a person's name and returns the message's id. A private chat that is not there begins
// with its first message.
func (s *Server) Say(chatID int64, text string, by User) (int, error) {
	return s.Write(Incoming{ChatID: chatID, Text: text, By: by})
}

// Reply is Say in answer to a message of the chat; 0 is none.
func (s *Server) Reply(chatID int64, replyTo int, text string, by User) (int, error) {
	return s.Write(Incoming{ChatID: chatID, ReplyTo: replyTo, Text: text, By: by})
}

// Album writes media that belong together, the first with the caption, and returns the messages' ids.
func (s *Server) Album(chatID int64, by User, caption string, media ...Media) (ids []int, err error) {
	s.mu.Lock()
	s.nextAlbum++
	album := strconv.FormatInt(13_000_000_000_000_000+s.nextAlbum, 10)
	s.mu.Unlock()
	for _, m := range media {
		id, err := s.Write(Incoming{ChatID: chatID, By: by, Text: caption, Media: &m, AlbumID: album})
		if err != nil {
			return ids, err
		}
		ids, caption = append(ids, id), ""
	}
	return ids, nil
}

// Write puts a person's message into a chat, tells the bot of it where Telegram would, and returns its id.
func (s *Server) Write(in Incoming) (int, error) {
	if in.Text == "" && in.Media == nil {
		return 0, ErrNothingSaid
	}
	t := richtext.Text{}
	if in.Text != "" {
		var err error
		if t, err = richtext.Compose(richtext.Text{Text: in.Text}); err != nil {
			return 0, fmt.Errorf("say: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, original, err := s.whereTo(&in)
	if err != nil {
		return 0, err
	}
	s.nextFile++
	media, err := in.Media.complete(s.nextFile)
	if err != nil {
		return 0, err
	}
	s.meet(in.By)
	m := &message{Message: Message{From: in.By, Anonymous: in.Anonymous, ThreadID: in.ThreadID, Text: t.Text, Entities: t.Entities,
		Media: media, AlbumID: in.AlbumID, ReplyTo: in.ReplyTo}}
	s.post(ch, m)
	if s.botSees(ch, m, original) {
		s.push(ch.updateKind("message"), ch.api(m, true))
	}
	return m.ID, nil
}

// whereTo finds the chat, the topic and the message that a person answers.
func (s *Server) whereTo(in *Incoming) (*chat, *message, error) {
	ch := s.chats[in.ChatID]
	if ch == nil && in.ChatID == in.By.ID && in.By.ID > 0 {
		ch = s.putChat(Chat{ID: in.ChatID, Type: Private, Title: in.By.FirstName, BotStatus: Member})
	}
	if ch == nil {
		return nil, nil, fmt.Errorf("say in chat %d: %w", in.ChatID, ErrNoChat)
	}
	var original *message
	if in.ReplyTo != 0 {
		if original = ch.find(in.ReplyTo); original == nil {
			return nil, nil, fmt.Errorf("reply to message %d: %w", in.ReplyTo, ErrNoMessage)
		}
		in.ThreadID = original.ThreadID
	}
	if t := ch.topics[in.ThreadID]; in.ThreadID != 0 && (t == nil || t.deleted) {
		return nil, nil, fmt.Errorf("say in topic %d: %w", in.ThreadID, ErrNoTopic)
	}
	if ch.Type == Private && ch.BotStatus == Left {
		ch.BotStatus = Member
	}
	return ch, original, nil
}

// Edit changes the text, or the caption, of a person's own message.
func (s *Server) Edit(chatID int64, messageID int, text string) error {
	t, err := richtext.Compose(richtext.Text{Text: text})
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[chatID]
	if ch == nil {
		return fmt.Errorf("edit in chat %d: %w", chatID, ErrNoChat)
	}
	i, ok := ch.index(messageID)
	if !ok || ch.messages[i].From.ID == s.bot.ID {
		return fmt.Errorf("edit message %d: %w", messageID, ErrNoMessage)
	}
	changed := *ch.messages[i]
	changed.Text, changed.Entities, changed.Edited, changed.EditDate = t.Text, t.Entities, true, s.clock()
	changed.Revision = s.rev.Grow()
	ch.messages[i] = &changed
	if s.botSees(ch, &changed, ch.find(changed.ReplyTo)) {
		s.push(ch.updateKind("edited_message"), ch.api(&changed, true))
	}
	return nil
}

// updateKind is what updates about a message are called in the chat.
func (c *chat) updateKind(kind string) string {
	if c.Type == Channel {
		return strings.Replace(kind, "message", "channel_post", 1)
	}
	return kind
}

// SetPrivacy turns the bot's privacy mode on, as it is at first, or off: then it gets all messages of the groups it is in.
func (s *Server) SetPrivacy(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readsAll = !on
}

// botSees tells whether a person's message reaches the bot: in groups, a bot in privacy mode that is no administrator gets
// only what is addressed to bots.
func (s *Server) botSees(c *chat, m, original *message) bool {
	switch {
	case c.BotStatus == Left || c.BotStatus == Kicked:
		return false
	case c.Type == Private || c.BotStatus == Administrator || s.readsAll:
		return true
	case original != nil && original.From.ID == s.bot.ID:
		return true
	case !strings.HasPrefix(m.Text, "/"):
		return false
	}
	command, _, _ := strings.Cut(m.Text, " ")
	_, name, addressed := strings.Cut(command, "@")
	return !addressed || strings.EqualFold(name, s.bot.Username)
}
