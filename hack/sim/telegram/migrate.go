// SPDX-License-Identifier: Apache-2.0

package telegram

import "fmt"

// Migrate makes a supergroup with the id to of the group from, as Telegram does by itself when a group grows. Requests
// for the old id are refused from now on, with the new one in the refusal.
func (s *Server) Migrate(from, to int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.chats[from]
	if !ok {
		return fmt.Errorf("migrate chat %d: %w", from, ErrNoChat)
	}
	grown := old.Chat
	grown.ID, grown.Type = to, Supergroup
	if err := grown.normalise(); err != nil {
		return fmt.Errorf("migrate chat %d: %w", from, err)
	}
	old.MigratedTo = to
	fresh := s.putChat(grown)
	fresh.members = old.members
	by := s.someone()
	s.push("message", apiService{apiMessage: s.service(old, by), MigrateToChatID: to})
	s.push("message", apiService{apiMessage: s.service(fresh, by), MigrateFromChatID: from})
	return nil
}
