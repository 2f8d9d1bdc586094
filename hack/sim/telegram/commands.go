// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"encoding/json"
	"slices"

	"github.com/go-telegram/bot/models"
)

// CommandScope is for whom commands are shown. The zero value is everybody.
type CommandScope struct {
	// Type is "default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat", "chat_administrators" or
	// "chat_member".
	Type string `json:"type"`
	// ChatID and UserID belong to the last three.
	ChatID int64 `json:"chat_id,omitempty"`
	UserID int64 `json:"user_id,omitempty"`
}

// commandSet is what commands are kept by.
type commandSet struct {
	scope    CommandScope
	language string
}

var scopeTypes = []string{"default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat",
	"chat_administrators", "chat_member"}

// Commands returns the commands that the bot set for just this scope and language ("" for all others).
func (s *Server) Commands(scope CommandScope, language string) []models.BotCommand {
	if scope.Type == "" {
		scope.Type = "default"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands[commandSet{scope, language}])
}

// shownCommands are those that a person is offered in a chat: the narrowest scope's, in the person's language or else any.
func (s *Server) shownCommands(chatID int64, u User) []models.BotCommand {
	scopes := []CommandScope{{Type: "chat", ChatID: chatID}, {Type: "all_private_chats"}, {Type: "default"}}
	if chatID < 0 {
		scopes = []CommandScope{{Type: "chat_member", ChatID: chatID, UserID: u.ID}}
		ch, admin := s.chats[chatID], false
		if ch != nil {
			m := s.membership(ch, u.ID)
			admin = m.status == Creator || m.status == Administrator
		}
		if admin {
			scopes = append(scopes, CommandScope{Type: "chat_administrators", ChatID: chatID})
		}
		scopes = append(scopes, CommandScope{Type: "chat", ChatID: chatID})
		if admin {
			scopes = append(scopes, CommandScope{Type: "all_chat_administrators"})
		}
		scopes = append(scopes, CommandScope{Type: "all_group_chats"}, CommandScope{Type: "default"})
	}
	for _, scope := range scopes {
		for _, language := range []string{u.LanguageCode, ""} {
			if list, set := s.commands[commandSet{scope, language}]; set {
				return list
			}
		}
	}
	return nil
}

// readCommandSet reads scope and language_code.
func readCommandSet(p params) (commandSet, error) {
	set := commandSet{scope: CommandScope{Type: "default"}, language: p["language_code"]}
	if raw := p["scope"]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &set.scope); err != nil {
			return set, badRequest("can't parse BotCommandScope")
		}
	}
	if !slices.Contains(scopeTypes, set.scope.Type) {
		return set, badRequest("can't parse BotCommandScope: unsupported type specified")
	}
	if set.language != "" && len(set.language) != 2 {
		return set, badRequest("invalid language code specified")
	}
	return set, nil
}

func (s *Server) setMyCommands(c *call) (any, error) {
	set, err := readCommandSet(c.params)
	if err != nil {
		return nil, err
	}
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
	s.commands[set] = list
	s.rev.Grow()
	return true, nil
}

func (s *Server) getMyCommands(c *call) (any, error) {
	set, err := readCommandSet(c.params)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]models.BotCommand{}, s.commands[set]...), nil
}

func (s *Server) deleteMyCommands(c *call) (any, error) {
	set, err := readCommandSet(c.params)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.commands, set)
	s.rev.Grow()
	return true, nil
}
