// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"slices"

	"github.com/go-telegram/bot/models"
)

// anonymousAdmin is who Telegram names as the author of what administrators write in a group's name.
var anonymousAdmin = User{ID: 1087968824, IsBot: true, FirstName: "Group", Username: "GroupAnonymousBot"}

// membership is what a person is in a chat.
type membership struct {
	status    string
	anonymous bool
}

// SetMember makes a person something in a group or channel: Creator, Administrator, Member, Restricted, Left or Kicked. Until then
// the first of the people is the creator and everybody else a member. anonymous hides an administrator behind the group.
func (s *Server) SetMember(chatID int64, u User, status string, anonymous bool) error {
	if !slices.Contains([]string{Creator, Administrator, Member, Restricted, Left, Kicked}, status) {
		return fmt.Errorf("unknown status %q", status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[chatID]
	if ch == nil {
		return fmt.Errorf("set a member of chat %d: %w", chatID, ErrNoChat)
	}
	s.meet(u)
	ch.members[u.ID] = membership{status: status, anonymous: anonymous}
	s.rev.Grow()
	return nil
}

// Block has a person block the bot: its messages to the person are refused, and the bot is told.
func (s *Server) Block(personID int64) error { return s.setPrivate(personID, Kicked) }

// Unblock ends a block.
func (s *Server) Unblock(personID int64) error { return s.setPrivate(personID, Member) }

func (s *Server) setPrivate(personID int64, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[personID]
	if ch == nil {
		return fmt.Errorf("private chat %d: %w", personID, ErrNoChat)
	}
	c := ch.Chat
	c.BotStatus = status
	s.putChat(c)
	return nil
}

// membership is what a person is in a chat.
func (s *Server) membership(c *chat, id int64) membership {
	if m, set := c.members[id]; set {
		return m
	}
	if id == s.owner && c.Type != Private {
		return membership{status: Creator}
	}
	return membership{status: Member}
}

// apiMember is a person's membership as the Bot API shows it.
func apiMember(u User, m membership) any {
	switch m.status {
	case Creator:
		return models.ChatMemberOwner{Status: models.ChatMemberTypeOwner, User: &u, IsAnonymous: m.anonymous}
	case Administrator:
		return models.ChatMemberAdministrator{Status: models.ChatMemberTypeAdministrator, User: u, IsAnonymous: m.anonymous,
			CanManageChat: true, CanDeleteMessages: true, CanRestrictMembers: true}
	case Restricted:
		return models.ChatMemberRestricted{Status: models.ChatMemberTypeRestricted, User: &u, IsMember: true, CanSendMessages: true}
	case Left:
		return models.ChatMemberLeft{Status: models.ChatMemberTypeLeft, User: &u}
	case Kicked:
		return models.ChatMemberBanned{Status: models.ChatMemberTypeBanned, User: &u}
	}
	return models.ChatMemberMember{Status: models.ChatMemberTypeMember, User: &u}
}

// member is the bot's membership with a status, with the rights that go with it.
func (s *Server) member(c *chat, status string) any {
	if status == Administrator {
		return models.ChatMemberAdministrator{Status: models.ChatMemberTypeAdministrator, User: s.bot, CanManageChat: true,
			CanDeleteMessages: true, CanInviteUsers: true, CanPostMessages: c.Type == Channel && !c.Muted,
			CanEditMessages: c.Type == Channel && !c.Muted, CanManageTopics: c.Forum && !c.NoTopicRight}
	}
	if status == Restricted {
		return models.ChatMemberRestricted{Status: models.ChatMemberTypeRestricted, User: &s.bot, IsMember: true,
			CanSendMessages: !c.Muted}
	}
	return apiMember(s.bot, membership{status: status})
}

func (s *Server) getChatMember(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	id := c.params.int64("user_id")
	if id == s.bot.ID {
		return s.member(ch, ch.BotStatus), nil
	}
	u := s.person(id)
	if u == nil || ch.Type == Private && ch.ID != id {
		return nil, badRequest("user not found")
	}
	return apiMember(*u, s.membership(ch, id)), nil
}

func (s *Server) getChatAdministrators(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	if ch.Type == Private {
		return nil, badRequest("there are no administrators in the private chat")
	}
	list := []any{}
	for _, u := range s.people {
		if m := s.membership(ch, u.ID); m.status == Creator || m.status == Administrator {
			list = append(list, apiMember(u, m))
		}
	}
	if ch.BotStatus == Administrator {
		list = append(list, s.member(ch, Administrator))
	}
	return list, nil
}

func (s *Server) getChatMemberCount(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	if ch.Type == Private {
		return 2, nil
	}
	return len(s.people) + 1, nil
}
