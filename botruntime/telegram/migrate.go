// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

// A group becomes a supergroup, with another id, when it grows or is given topics. The bot learns of it from Telegram's refusal of
// a post, from the look at the chat that the profiler takes now and then, and from the group's own last message, whichever is first.

// isOthersMove tells of a refusal whether it is not the job's own chat that became a supergroup: a copy names another chat besides.
func (d *delivery) isOthersMove(v verdict) bool {
	return v.migrateTo != 0 && (d.job.ChatID > 0 || v.migrateTo == d.job.ChatID)
}

// judgeOthersMove gives up what is to be copied from a group that is one no more: it is out of the bot's reach.
func (d *delivery) judgeOthersMove(v verdict) verdict {
	if d.job.Kind == store.JobCopy {
		return verdict{final: true, message: fmt.Sprintf("what was to be copied is in group %d, which became a supergroup", d.job.FromChatID)}
	}
	v.migrateTo = 0
	return v
}

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
