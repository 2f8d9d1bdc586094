// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// A group becomes a supergroup, with another id, when it grows or is given topics. The bot learns of it from Telegram's refusal of
// a post, from the look at the chat that the profiler takes now and then, and from the group's own last message, whichever is first.

// follow records that a chat of the staff's became a supergroup, where an update says so.
func (w *worker) follow(ctx context.Context, u *update) error {
	if u == nil || u.Message == nil || u.Message.MigratedTo == 0 || !w.handlers.isStaffChat(u.Message.Chat.ID) {
		return nil
	}
	return migrate(ctx, w.store, u.Message.Chat.ID, u.Message.MigratedTo)
}

// migrate has everything that waits for a group go to the supergroup that it became.
func migrate(ctx context.Context, st Store, from, to int64) error {
	if _, err := st.Advance(ctx, from, &store.Outcome{Kind: store.Migrated, NewChatID: to}, false); err != nil {
		return fmt.Errorf("record that group %d became supergroup %d: %w", from, to, err)
	}
	return nil
}
