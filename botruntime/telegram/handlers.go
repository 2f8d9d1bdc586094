// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// handlers decide what follows from updates. What they change they change in the transaction that ends the update, so
// they may call nobody; prepare asks, before it, for what they need to know.
type handlers struct {
	cfg *Config
	api *api // for prepare
	// identity is who the bot is, effectiveChat which chat one of the spec's has become.
	identity      *identity
	effectiveChat func(int64) int64
	// members tells who is an administrator; for prepare.
	members *members
	now     func() time.Time
	// stats counts tickets since a time; for prepare.
	stats func(ctx context.Context, since time.Time) (store.TicketStats, error)
}

// facts are what prepare found out for a handler.
type facts struct {
	// admin is whether the one who acts is an administrator of the chat; adminUnknown is set where Telegram did not say.
	admin, adminUnknown bool
	// adminHidden is set too where Telegram never will, as things are.
	adminHidden bool
	// stats are what an administrator asked for, as far as statsErr is nil.
	stats    store.TicketStats
	statsErr error
}

// courtesy is done at once when an update has been handled, and tried once: nobody is helped by a late one, and by a
// missing one nobody is harmed. The zero courtesy does nothing.
type courtesy struct {
	// queryID is the press that is answered with text; alert has it shown until it is dismissed.
	queryID, text string
	alert         bool
	// chatID and messageID are the message that gets emoji as a reaction.
	chatID    int64
	messageID int
	emoji     string
}

// says is the answer to a press.
func says(q *query, text string) courtesy { return courtesy{queryID: q.ID, text: text} }

// reacts is a reaction to a message.
func reacts(m *message, emoji string) courtesy {
	return courtesy{chatID: m.Chat.ID, messageID: m.ID, emoji: emoji}
}

func (c courtesy) extend(ctx context.Context, a *api) (err error) {
	if c.queryID != "" {
		params := map[string]any{"callback_query_id": c.queryID, "text": c.text, "show_alert": c.alert}
		err = a.call(ctx, "answerCallbackQuery", params, new(bool))
	}
	if c.emoji != "" {
		reaction := []map[string]string{{"type": "emoji", "emoji": c.emoji}}
		params := map[string]any{"chat_id": c.chatID, "message_id": c.messageID, "reaction": reaction}
		err = errors.Join(err, a.call(ctx, "setMessageReaction", params, new(bool)))
	}
	return err
}

// handle reacts to an update; an error means that it can be tried again, unless it is errBadUpdate.
func (h handlers) handle(tx store.Tx, u *update, f facts) (courtesy, error) {
	switch {
	case u.CallbackQuery != nil:
		return h.callback(tx, u.CallbackQuery, f)
	case u.Message != nil:
		return h.message(tx, u.Message, f)
	case u.ChannelPost != nil:
		return h.message(tx, u.ChannelPost, f)
	case u.EditedMessage != nil:
		return h.edit(tx, u.EditedMessage, f)
	case u.EditedChannelPost != nil:
		return h.edit(tx, u.EditedChannelPost, f)
	case u.MyChatMember != nil && u.MyChatMember.Chat.Type == models.ChatTypePrivate:
		return courtesy{}, h.directMembership(tx, u.MyChatMember)
	}
	return courtesy{}, nil
}

// callback handles the press of a button: of the categories in a direct message, under a post, or of a list.
func (h handlers) callback(tx store.Tx, q *query, f facts) (courtesy, error) {
	switch {
	case q.Message == nil:
		return says(q, h.textsFor(&q.From).UnknownButton), nil
	case q.Message.Chat.ID == q.From.ID && (!h.isFromStaff(q.From.ID) || strings.HasPrefix(q.Data, categoryPrefix)):
		return h.directPress(tx, q)
	case !h.isFromStaff(q.Message.Chat.ID):
		return says(q, h.textsFor(&q.From).WrongChat), nil
	case strings.HasPrefix(q.Data, ticket.CallbackPrefix):
		return h.press(tx, q, f)
	}
	return h.adminCallback(tx, q, f)
}

// isOfNobody tells a message that no person wrote, nor an administrator in the chat's name. Other bots are left alone: two that
// answer each other never end.
func (m *message) isOfNobody() bool { return !m.inChatsName() && (m.From == nil || m.From.IsBot) }

// message handles a new message.
func (h handlers) message(tx store.Tx, m *message, f facts) (courtesy, error) {
	switch {
	case m.isOfNobody():
		return courtesy{}, nil
	case h.isFromStaff(m.Chat.ID):
		return h.staffMessage(tx, m, f)
	case m.Chat.Type == models.ChatTypePrivate:
		return courtesy{}, h.directMessage(tx, m)
	}
	return courtesy{}, h.strangeGroup(tx, m)
}

func (h handlers) edit(tx store.Tx, m *message, _ facts) (courtesy, error) {
	switch {
	case m.isOfNobody():
		return courtesy{}, nil
	case h.isFromStaff(m.Chat.ID):
		return courtesy{}, h.staffEdit(tx, m)
	case m.Chat.Type == models.ChatTypePrivate:
		return courtesy{}, h.directEdit(tx, m)
	}
	return courtesy{}, nil
}

// isStaffChat tells whether tickets are posted to a chat.
func (h handlers) isStaffChat(id int64) bool {
	return slices.ContainsFunc(h.cfg.Chats(), func(chat int64) bool { return id == h.effectiveChat(chat) })
}

// isFromStaff tells whether what comes from a chat comes from the staff: also from a group that became a supergroup, before it did.
func (h handlers) isFromStaff(id int64) bool { return h.isStaffChat(h.effectiveChat(id)) }

// textsFor is the catalog in a person's language: that of the chat where they speak neither Russian nor English.
func (h handlers) textsFor(u *models.User) *ticket.Catalog {
	return ticket.Texts(h.languageOf(u.LanguageCode))
}

func (h handlers) languageOf(code string) string {
	language, _, _ := strings.Cut(strings.ToLower(code), "-")
	if language != "ru" && language != "en" {
		return h.cfg.Language
	}
	return language
}

// command is the command that a message begins with, in lower case, and the bot that it names, if any; "" for none.
func command(text string) (name, addressee string) {
	if !strings.HasPrefix(text, "/") {
		return "", ""
	}
	name, addressee, _ = strings.Cut(strings.Fields(text)[0], "@")
	return strings.ToLower(name), addressee
}

// send puts a message into the outbox.
func send(tx store.Tx, to store.Outgoing, p payload) error {
	body, err := p.encode()
	if err != nil {
		return errors.Join(errBadUpdate, err)
	}
	to.Payload = body
	return tx.Send(to)
}
