// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// early answers presses whose outcome is certain, before anything waits: Telegram forgets a press after 150 s, and the
// one who pressed sees a clock until then.
func (h handlers) early(u *update) courtesy {
	q := u.CallbackQuery
	if q == nil || q.Message == nil || !h.isStaffChat(q.Message.Chat.ID) || !strings.HasPrefix(q.Data, ticket.CallbackPrefix) {
		return courtesy{}
	}
	c, _ := h.toast(q)
	return c
}

// prepare asks Telegram what the handlers must know of an update: they themselves may call nobody. It is asked only who
// is an administrator, and only of those who do what takes one.
func (h handlers) prepare(ctx context.Context, u *update) facts {
	var chatID, userID int64
	switch q, m := u.CallbackQuery, cmp.Or(u.Message, u.ChannelPost); {
	case q != nil && q.Message != nil && !strings.HasPrefix(q.Data, ticket.CallbackPrefix):
		chatID, userID = q.Message.Chat.ID, q.From.ID
	case m != nil && h.staffCommandOf(m) != nil:
		if m.inChatsName() {
			return facts{admin: true}
		}
		if chatID = m.Chat.ID; m.From != nil {
			userID = m.From.ID
		}
	}
	if userID == 0 || !h.isStaffChat(chatID) {
		return facts{}
	}
	admin, err := h.members.administrator(ctx, chatID, userID)
	if err != nil {
		h.cfg.Logger.Warn("cannot ask who is an administrator", "why", judge(err, chatID).message)
	}
	return facts{admin: admin, adminUnknown: err != nil}
}

// inChatsName tells a message that an anonymous administrator wrote.
func (m *message) inChatsName() bool { return m.SenderChat != nil && m.SenderChat.ID == m.Chat.ID }

// actor is how its writer is named in a status line. An anonymous administrator stays one.
func (m *message) actor() string {
	switch {
	case m.inChatsName():
		return ticket.ActorName("", cmp.Or(m.AuthorSignature, m.SenderChat.Title), "", m.Chat.ID)
	case m.From == nil:
		return ticket.ActorName("", m.AuthorSignature, "", m.Chat.ID)
	}
	return ticket.ActorName(m.From.Username, m.From.FirstName, m.From.LastName, m.From.ID)
}

// actorID is the writer's id, 0 for an anonymous one.
func (m *message) actorID() int64 {
	if m.From == nil || m.inChatsName() {
		return 0
	}
	return m.From.ID
}

// noteMark begins what the staff writes for itself, under a ticket or in its topic.
const noteMark = "//"

// groupMessage handles what a person, or an administrator in the chat's name, wrote in a chat of the staff's: a command,
// or a reply to a ticket. Everything else is theirs.
func (h handlers) groupMessage(tx store.Tx, m *message, f facts) (courtesy, error) {
	if name, addressee := command(m.Text); name != "" {
		run := h.staffCommandOf(m)
		switch {
		case run != nil:
			return courtesy{}, h.runCommand(tx, m, f, run)
		case addressee != "" || m.ReplyTo == nil: // a reply may begin with the word of a command: "/spawn takes you home"
			return courtesy{}, h.strangeGroup(tx, m)
		}
	}
	if m.AutomaticForward || m.kind() == kindNone && m.unsupported == (unsupported{}) {
		return courtesy{}, nil
	}
	if note, err := h.isNote(tx, m); err != nil || note {
		return courtesy{}, err
	}
	link, err := h.target(tx, m)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return courtesy{}, nil
	case err != nil:
		return courtesy{}, err
	}
	if m.kind() == kindNone {
		return courtesy{}, send(tx, store.Outgoing{ChatID: m.Chat.ID, Ticket: link.Ticket, ReplyTo: int64(m.ID)},
			payload{Text: h.texts().Staff.Unsupported})
	}
	return h.staffReply(tx, m, link)
}

// isNote tells what the staff writes for itself. Of an album, one part has the words.
func (h handlers) isNote(tx store.Tx, m *message) (bool, error) {
	note := strings.HasPrefix(m.words(), noteMark)
	if m.AlbumID == "" {
		return note, nil
	}
	what := "note:" + ticket.Line(m.AlbumID, maxAlbumID)
	if note {
		_, err := once(tx, what, h.now())
		return true, err
	}
	free, _, err := tx.Peek(what, 0, store.Limit{Uses: 1, Window: onceMemory}, h.now())
	return !free, wrapped("look up whether an album is a note", err)
}

// target is the ticket that a message is about: of the message that it answers, or whose own topic it was written in.
// store.ErrNotFound where there is none.
func (h handlers) target(tx store.Tx, m *message) (store.Link, error) {
	// In a topic, what answers nothing answers the message that the topic began with.
	if r := m.ReplyTo; r != nil && r.TopicCreated == nil {
		link, err := tx.MessageTicket(cmp.Or(r.Chat.ID, m.Chat.ID), int64(r.ID))
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return link, wrapped("look up the ticket of a reply", err)
		}
		if name := h.nameOnButtons(r); name != "" {
			t, err := tx.Ticket(name)
			return store.Link{Ticket: t.ID}, wrapped("look up the ticket of a reply", err)
		}
	}
	if m.ThreadID == 0 {
		return store.Link{}, store.ErrNotFound
	}
	name, err := tx.TopicTicket(m.Chat.ID, int64(m.ThreadID))
	return store.Link{Ticket: name}, wrapped("look up the ticket of a topic", err)
}

// nameOnButtons is the ticket that the buttons under one of the bot's own messages name: the store knows only one of two
// posts, where a crash made two. "" for none.
func (h handlers) nameOnButtons(m *message) string {
	if m.From == nil || m.From.ID != h.identity.get().ID || m.Keyboard == nil {
		return ""
	}
	for _, row := range m.Keyboard.InlineKeyboard {
		for _, b := range row {
			if name, _, ok := ticket.ParseCallbackData(b.CallbackData); ok {
				return name
			}
		}
	}
	return ""
}

// wrapped says what was being done, where it failed.
func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
