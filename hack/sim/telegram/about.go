// SPDX-License-Identifier: Apache-2.0

package telegram

import "github.com/go-telegram/bot/models"

func (s *Server) getMe(*call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.bot
	me.CanJoinGroups, me.CanReadAllGroupMessages = true, s.readsAll
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
