// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"

	"github.com/go-telegram/bot/models"
)

func (s *Server) getMe(*call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.bot
	me.CanJoinGroups = true
	return me, nil
}

// apiFullChat is what getChat adds to a chat.
type apiFullChat struct {
	apiChat
	AccentColorID    int                     `json:"accent_color_id"`
	MaxReactionCount int                     `json:"max_reaction_count"`
	Permissions      *models.ChatPermissions `json:"permissions,omitempty"`
}

func (s *Server) getChat(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.chatFor(c.params)
	if err != nil {
		return nil, err
	}
	full := apiFullChat{apiChat: ch.apiChat(), MaxReactionCount: 11}
	if ch.Type == Group || ch.Type == Supergroup {
		full.Permissions = &models.ChatPermissions{CanSendMessages: true}
	}
	return full, nil
}

// member is the bot's membership with a status, with the rights that go with it.
func (s *Server) member(c *chat, status string) any {
	switch status {
	case Administrator:
		return models.ChatMemberAdministrator{Status: models.ChatMemberTypeAdministrator, User: s.bot, CanManageChat: true,
			CanDeleteMessages: true, CanInviteUsers: true, CanPostMessages: c.Type == Channel && !c.Muted,
			CanEditMessages: c.Type == Channel && !c.Muted, CanManageTopics: c.Forum}
	case Restricted:
		return models.ChatMemberRestricted{Status: models.ChatMemberTypeRestricted, User: &s.bot, IsMember: true,
			CanSendMessages: !c.Muted}
	case Left:
		return models.ChatMemberLeft{Status: models.ChatMemberTypeLeft, User: &s.bot}
	case Kicked:
		return models.ChatMemberBanned{Status: models.ChatMemberTypeBanned, User: &s.bot}
	}
	return models.ChatMemberMember{Status: models.ChatMemberTypeMember, User: &s.bot}
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
	return models.ChatMemberMember{Status: models.ChatMemberTypeMember, User: u}, nil
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
	owner := s.someone()
	list := []any{models.ChatMemberOwner{Status: models.ChatMemberTypeOwner, User: &owner}}
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

func (s *Server) setMyCommands(c *call) (any, error) {
	var list []models.BotCommand
	if err := json.Unmarshal([]byte(c.params["commands"]), &list); err != nil {
		return nil, badRequest("can't parse commands JSON object")
	}
	for _, command := range list {
		if command.Command == "" || len(command.Command) > 32 {
			return nil, badRequest("BOT_COMMAND_INVALID")
		}
		if command.Description == "" || len([]rune(command.Description)) > 256 {
			return nil, badRequest("BOT_COMMAND_DESCRIPTION_INVALID")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = list
	s.rev.Grow()
	return true, nil
}

func (s *Server) getMyCommands(*call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]models.BotCommand{}, s.commands...), nil
}

func (s *Server) deleteMyCommands(*call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = nil
	s.rev.Grow()
	return true, nil
}
