// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxTopicName     = 128 // characters
	defaultIconColor = 0x6FB9F0
)

// ErrNoTopic means that a person acted on a topic that is not there.
var ErrNoTopic = errors.New("topic not found")

// Topic is a part of a forum. Its thread is the id of the message that began it.
type Topic struct {
	ThreadID  int    `json:"thread_id"`
	Name      string `json:"name"`
	IconColor int    `json:"icon_color"`
	Closed    bool   `json:"closed,omitempty"`
}

type topic struct {
	Topic
	deleted bool
}

// apiTopic is the Bot API's ForumTopic, and what messages about topics say.
type apiTopic struct {
	MessageThreadID int    `json:"message_thread_id,omitempty"`
	Name            string `json:"name,omitempty"`
	IconColor       int    `json:"icon_color,omitempty"`
}

// service is what a message about the chat itself says. The zero value is a person's message.
type service struct {
	created, edited  *apiTopic
	closed, reopened bool
}

func (v service) any() bool { return v != service{} }

func (v service) fill(a *apiMessage) {
	a.TopicCreated, a.TopicEdited = v.created, v.edited
	if v.closed {
		a.TopicClosed = &struct{}{}
	}
	if v.reopened {
		a.TopicOpened = &struct{}{}
	}
}

// Topics returns a forum's topics in the order they began, without those that were deleted.
func (s *Server) Topics(chatID int64) []Topic {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Topic{}
	if ch := s.chats[chatID]; ch != nil {
		for _, t := range ch.topics {
			if !t.deleted {
				out = append(out, t.Topic)
			}
		}
	}
	slices.SortFunc(out, func(a, b Topic) int { return a.ThreadID - b.ThreadID })
	return out
}

// AddTopic begins a topic as an administrator of the forum would, and returns its thread.
func (s *Server) AddTopic(chatID int64, name string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[chatID]
	if ch == nil || !ch.Forum {
		return 0, fmt.Errorf("add a topic to chat %d: %w", chatID, ErrNoChat)
	}
	return s.beginTopic(ch, Topic{Name: name, IconColor: defaultIconColor}, s.someone()).ThreadID, nil
}

// DeleteTopic deletes a topic and its messages as an administrator of the forum would.
func (s *Server) DeleteTopic(chatID int64, threadID int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, t, err := s.personsTopic(chatID, threadID)
	if err != nil {
		return err
	}
	s.endTopic(ch, t)
	return nil
}

// CloseTopic closes or opens a topic as an administrator of the forum would.
func (s *Server) CloseTopic(chatID int64, threadID int, closed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, t, err := s.personsTopic(chatID, threadID)
	if err == nil && t.Closed != closed {
		s.setClosed(ch, t, closed, s.someone())
	}
	return err
}

func (s *Server) personsTopic(chatID int64, threadID int) (*chat, *topic, error) {
	if ch := s.chats[chatID]; ch != nil {
		if t := ch.topics[threadID]; t != nil && !t.deleted {
			return ch, t, nil
		}
	}
	return nil, nil, fmt.Errorf("topic %d of chat %d: %w", threadID, chatID, ErrNoTopic)
}

// announce puts a message about the chat into it. The bot hears of those that others caused.
func (s *Server) announce(c *chat, thread int, v service, text string, by User) *message {
	m := &message{Message: Message{ThreadID: thread, From: by, Service: text}, service: v}
	s.post(c, m)
	if v.created != nil { // its own id is the thread
		m.ThreadID = m.ID
	}
	if by.ID != s.bot.ID && c.readable() == nil {
		s.push("message", c.api(m, true))
	}
	return m
}

func (s *Server) beginTopic(c *chat, t Topic, by User) Topic {
	v := service{created: &apiTopic{Name: t.Name, IconColor: t.IconColor}}
	t.ThreadID = s.announce(c, 0, v, "began the topic "+t.Name, by).ID
	c.topics[t.ThreadID] = &topic{Topic: t}
	return t
}

// endTopic deletes a topic with its messages.
func (s *Server) endTopic(c *chat, t *topic) {
	t.deleted = true
	c.messages = slices.DeleteFunc(c.messages, func(m *message) bool { return m.ThreadID == t.ThreadID })
	s.rev.Grow()
}

func (s *Server) setClosed(c *chat, t *topic, closed bool, by User) {
	t.Closed = closed
	if closed {
		s.announce(c, t.ThreadID, service{closed: true}, "closed the topic", by)
		return
	}
	s.announce(c, t.ThreadID, service{reopened: true}, "opened the topic", by)
}

// managesTopics tells whether the bot has the right can_manage_topics.
func (c *chat) managesTopics() bool {
	return c.Forum && c.BotStatus == Administrator && !c.NoTopicRight
}

// threadFor checks the topic that a message is to go to; a message that answers another one goes to that one's topic.
func (c *chat) threadFor(p params, replyTo int) (int, error) {
	thread := p.int("message_thread_id", 0)
	if thread == 0 {
		if original := c.find(replyTo); original != nil {
			thread = original.ThreadID
		}
	}
	if thread == 0 {
		return 0, nil
	}
	t := c.topics[thread] // the general topic has no number that a bot could give
	switch {
	case !c.Forum || t == nil:
		return 0, badRequest("message thread not found")
	case t.deleted:
		return 0, badRequest("TOPIC_DELETED")
	case t.Closed && !c.managesTopics():
		return 0, badRequest("TOPIC_CLOSED")
	}
	return thread, nil
}

// botsTopic finds the topic that a request of the bot's is about.
func (s *Server) botsTopic(p params) (*chat, *topic, error) {
	ch, err := s.forumFor(p)
	if err != nil {
		return nil, nil, err
	}
	if !ch.managesTopics() {
		return nil, nil, badRequest("not enough rights to edit the topic")
	}
	t := ch.topics[p.int("message_thread_id", 0)]
	if t == nil || t.deleted {
		return nil, nil, badRequest("TOPIC_ID_INVALID")
	}
	return ch, t, nil
}

func (s *Server) forumFor(p params) (*chat, error) {
	ch, err := s.chatFor(p)
	if err == nil && !ch.Forum {
		err = badRequest("the chat is not a forum")
	}
	return ch, err
}

func topicName(p params) (string, error) {
	name := strings.TrimSpace(p["name"])
	if name == "" {
		return "", badRequest("topic name must be non-empty")
	}
	if r := []rune(name); len(r) > maxTopicName {
		name = string(r[:maxTopicName])
	}
	return name, nil
}

func (s *Server) createForumTopic(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.forumFor(c.params)
	if err != nil {
		return nil, err
	}
	if !ch.managesTopics() {
		return nil, badRequest("not enough rights to create a topic")
	}
	name, err := topicName(c.params)
	if err != nil {
		return nil, err
	}
	if err := s.admit(ch); err != nil {
		return nil, err
	}
	t := s.beginTopic(ch, Topic{Name: name, IconColor: c.params.int("icon_color", defaultIconColor)}, s.bot)
	s.stats.Topics++
	return apiTopic{MessageThreadID: t.ThreadID, Name: t.Name, IconColor: t.IconColor}, nil
}

func (s *Server) editForumTopic(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, t, err := s.botsTopic(c.params)
	if err != nil {
		return nil, err
	}
	name, err := topicName(c.params)
	switch {
	case err != nil:
		return nil, err
	case name == t.Name:
		return nil, badRequest("TOPIC_NOT_MODIFIED")
	}
	if err := s.admit(ch); err != nil {
		return nil, err
	}
	t.Name = name
	s.announce(ch, t.ThreadID, service{edited: &apiTopic{Name: name}}, "renamed the topic to "+name, s.bot)
	return true, nil
}

func (s *Server) closeForumTopic(c *call) (any, error)  { return s.toggleTopic(c.params, true) }
func (s *Server) reopenForumTopic(c *call) (any, error) { return s.toggleTopic(c.params, false) }

func (s *Server) toggleTopic(p params, closed bool) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, t, err := s.botsTopic(p)
	if err != nil {
		return nil, err
	}
	if t.Closed == closed {
		return nil, badRequest("TOPIC_NOT_MODIFIED")
	}
	if err := s.admit(ch); err != nil {
		return nil, err
	}
	s.setClosed(ch, t, closed, s.bot)
	return true, nil
}

func (s *Server) deleteForumTopic(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, t, err := s.botsTopic(c.params)
	if err != nil {
		return nil, err
	}
	s.endTopic(ch, t)
	return true, nil
}
