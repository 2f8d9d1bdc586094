// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// early answers presses whose outcome is certain, before anything waits: Telegram forgets a press after 150 s, and the
// one who pressed sees a clock until then.
func (h handlers) early(u *update) courtesy {
	q := u.CallbackQuery
	if q == nil || q.Message == nil || !h.isFromStaff(q.Message.Chat.ID) || !strings.HasPrefix(q.Data, ticket.CallbackPrefix) {
		return courtesy{}
	}
	c, _ := h.toast(q)
	return c
}

// prepare asks for what the handlers must know of an update: they themselves may call nobody. Telegram is asked only who is an
// administrator, and only of those who do what takes one.
func (h handlers) prepare(ctx context.Context, u *update) facts {
	q, m := u.CallbackQuery, cmp.Or(u.Message, u.ChannelPost)
	switch {
	case q != nil && q.Message != nil && !strings.HasPrefix(q.Data, ticket.CallbackPrefix):
		return h.standingOf(ctx, q.Message.Chat.ID, q.From.ID)
	case m == nil || h.staffCommandOf(m) == nil:
		return facts{}
	case m.inChatsName():
		return h.count(ctx, m, facts{admin: true})
	case m.From == nil:
		return facts{}
	}
	return h.count(ctx, m, h.standingOf(ctx, m.Chat.ID, m.From.ID))
}

// count adds the statistics that an administrator asks for with a message.
func (h handlers) count(ctx context.Context, m *message, f facts) facts {
	if name, _ := command(m.Text); f.admin && name == "/stats" {
		f.stats, f.statsErr = h.stats(ctx, h.now().Add(-time.Duration(daysAsked(arguments(m)))*day))
		if f.statsErr != nil {
			h.cfg.Logger.Error("cannot count tickets", "err", f.statsErr)
		}
	}
	return f
}

// standingOf tells whether somebody is an administrator of a chat of the staff's.
func (h handlers) standingOf(ctx context.Context, chatID, userID int64) facts {
	if chatID = h.effectiveChat(chatID); !h.isStaffChat(chatID) {
		return facts{}
	}
	if chatID == userID { // a private chat has nobody else
		return facts{admin: true}
	}
	admin, err := h.members.administrator(ctx, chatID, userID)
	if err != nil {
		h.cfg.Logger.Warn("cannot ask who is an administrator", "why", judge(err, chatID).message)
	}
	return facts{admin: admin, adminUnknown: err != nil, adminHidden: isHidden(err)}
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

// staffMessage handles what a person, or an administrator in the chat's name, wrote in a chat of the staff's: a command,
// or a reply to a ticket. Everything else is theirs, but for what the only member of a private chat writes to the bot.
func (h handlers) staffMessage(tx store.Tx, m *message, f facts) (courtesy, error) {
	private := m.Chat.Type == models.ChatTypePrivate
	if name, addressee := command(m.Text); name != "" {
		run := h.staffCommandOf(m)
		switch {
		case run != nil:
			return courtesy{}, h.runCommand(tx, m, f, run)
		case private && m.ReplyTo == nil:
			return courtesy{}, h.directMessage(tx, m)
		case addressee != "" || m.ReplyTo == nil: // a reply may begin with the word of a command: "/spawn takes you home"
			return courtesy{}, h.strangeGroup(tx, m)
		}
	}
	c, found, err := h.ticketMessage(tx, m)
	if err == nil && !found && private {
		return courtesy{}, h.directMessage(tx, m)
	}
	return c, err
}

// ticketMessage handles what the staff wrote about a ticket, to its author or for itself; found is false where it is about none, or
// about the writer's own, as its author.
func (h handlers) ticketMessage(tx store.Tx, m *message) (c courtesy, found bool, err error) {
	if m.AutomaticForward || m.kind() == kindNone && m.unsupported == (unsupported{}) {
		return courtesy{}, false, nil
	}
	link, err := h.target(tx, m)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return courtesy{}, false, err
	}
	if known {
		if own, err := h.isAuthors(tx, m, link); err != nil || own {
			return courtesy{}, false, err
		}
	}
	if note, err := h.isNote(tx, m); err != nil || note {
		return courtesy{}, true, err
	}
	if !known {
		return courtesy{}, false, nil
	}
	if m.kind() == kindNone {
		return courtesy{}, true, send(tx, store.Outgoing{ChatID: m.Chat.ID, Ticket: link.Ticket, ReplyTo: int64(m.ID)},
			payload{Text: h.texts().Staff.Unsupported})
	}
	c, err = h.staffReply(tx, m, link)
	return c, true, err
}

// isAuthors tells whether the only member of a private chat answers as the author of the ticket: anything but its post there.
func (h handlers) isAuthors(tx store.Tx, m *message, link store.Link) (bool, error) {
	if m.Chat.Type != models.ChatTypePrivate || m.ReplyTo == nil {
		return false, nil
	}
	t, err := tx.Ticket(link.Ticket)
	if errors.Is(err, store.ErrNotFound) { // so old that it is forgotten
		return false, nil
	}
	post := t.ChatID == m.Chat.ID && t.MessageID == int64(m.ReplyTo.ID) || h.nameOnButtons(m.ReplyTo) != ""
	return err == nil && t.TelegramID == m.Chat.ID && !post, wrapped("look up whose ticket it is", err)
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

// target is the ticket that a message is about: of the message that it answers, or whose own topic it was written in. What is
// forwarded into a topic is for the staff, and may be what another author wrote. store.ErrNotFound where there is none.
func (h handlers) target(tx store.Tx, m *message) (store.Link, error) {
	// In a topic, what answers nothing answers the message that the topic began with.
	if r := m.ReplyTo; r != nil && r.TopicCreated == nil {
		link, err := tx.MessageTicket(cmp.Or(r.Chat.ID, m.Chat.ID), int64(r.ID))
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return link, wrapped("look up the ticket of a reply", err)
		}
		if name := h.nameOnButtons(r); name != "" {
			t, err := tx.Ticket(name)
			if err == nil && isOlder(r, t) {
				return store.Link{}, store.ErrNotFound
			}
			return store.Link{Ticket: t.ID}, wrapped("look up the ticket of a reply", err)
		}
	}
	if m.ThreadID == 0 || m.ForwardOrigin != nil {
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
