// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// reaction is what follows from an update: effects for the store, and an answer to a press.
type reaction struct {
	effects store.Effects
	answer  *answer
}

// answer is shown to who pressed a button.
type answer struct{ queryID, text string }

func (a answer) params() *bot.AnswerCallbackQueryParams {
	return &bot.AnswerCallbackQueryParams{CallbackQueryID: a.queryID, Text: a.text}
}

// tickets finds tickets by their names: store.ErrNotFound where there is none.
type tickets interface {
	Ticket(ctx context.Context, id string) (ticket.Ticket, error)
}

// handlers decide what follows from updates.
type handlers struct {
	cfg     *Config
	tickets tickets
	now     func() time.Time
}

// handle reacts to an update; an error means that it can be tried again, unless it is errBadUpdate.
func (h handlers) handle(ctx context.Context, u *models.Update) (reaction, error) {
	switch {
	case u.CallbackQuery != nil:
		return h.press(ctx, u.CallbackQuery)
	case u.Message != nil && u.Message.Chat.Type == models.ChatTypePrivate && u.Message.From != nil && !u.Message.From.IsBot:
		return h.directMessage(u.Message)
	}
	return reaction{}, nil
}

// textsFor is the catalog in a person's language: that of the chat where they speak neither Russian nor English.
func (h handlers) textsFor(u *models.User) *ticket.Catalog {
	language, _, _ := strings.Cut(strings.ToLower(u.LanguageCode), "-")
	if language != "ru" && language != "en" {
		language = h.cfg.Language
	}
	return ticket.Texts(language)
}

func (h handlers) directMessage(m *models.Message) (reaction, error) {
	texts := h.textsFor(m.From)
	text := texts.Hint
	switch command(m.Text) {
	case "/start":
		text = texts.Start
	case "/help":
		text = texts.Help
	}
	body, err := payload{Text: text}.encode()
	if err != nil {
		return reaction{}, errors.Join(errBadUpdate, err)
	}
	return reaction{effects: store.Effects{Messages: []store.Outgoing{{ChatID: m.Chat.ID, Payload: body}}}}, nil
}

// command is the command that a message begins with, in lower case and without the bot's name, or "".
func command(text string) string {
	if !strings.HasPrefix(text, "/") {
		return ""
	}
	word, _, _ := strings.Cut(strings.Fields(text)[0], "@")
	return strings.ToLower(word)
}

// press gives a ticket the status of the button, and writes it into the post.
func (h handlers) press(ctx context.Context, q *models.CallbackQuery) (reaction, error) {
	texts := h.textsFor(&q.From)
	ticketID, status, ok := ticket.ParseCallbackData(q.Data)
	chatID, messageID := messageOf(q)
	switch {
	case !ok:
		return says(q, texts.UnknownButton), nil
	case chatID != h.cfg.ChatID:
		return says(q, texts.WrongChat), nil
	}
	change := ticket.Change{Status: status, At: h.now(),
		Actor: ticket.ActorName(q.From.Username, q.From.FirstName, q.From.LastName, q.From.ID)}
	edited, err := h.edited(ctx, q, ticketID, change)
	switch {
	case errors.Is(err, errNoButton):
		return says(q, texts.UnknownButton), nil
	case err != nil:
		return reaction{}, err
	}
	r := says(q, texts.Status+": "+texts.Statuses[status])
	r.effects.Statuses = []store.StatusChange{
		{TicketID: ticketID, Status: status, ActorID: q.From.ID, ActorName: change.Actor, At: change.At}}
	if edited.Text != "" {
		body, err := edited.encode()
		if err != nil {
			return reaction{}, errors.Join(errBadUpdate, err)
		}
		r.effects.Edits = []store.Edit{{ChatID: chatID, MessageID: int64(messageID), Payload: body}}
	}
	return r, nil
}

func says(q *models.CallbackQuery, text string) reaction {
	return reaction{answer: &answer{queryID: q.ID, text: text}}
}

// messageOf is the message whose button was pressed; zeros where Telegram says nothing of it.
func messageOf(q *models.CallbackQuery) (chatID int64, messageID int) {
	switch {
	case q.Message.Message != nil:
		return q.Message.Message.Chat.ID, q.Message.Message.ID
	case q.Message.InaccessibleMessage != nil:
		return q.Message.InaccessibleMessage.Chat.ID, q.Message.InaccessibleMessage.MessageID
	}
	return 0, 0
}

// errNoButton is a press of a button that is not there: its data was made up, or nobody knows the ticket any more.
var errNoButton = errors.New("no such button")

// edited is the post with its new status, and with its keyboard as it is. Of a post that Telegram no longer shows, it is
// what the store knows of the ticket.
func (h handlers) edited(ctx context.Context, q *models.CallbackQuery, ticketID string, change ticket.Change) (payload, error) {
	show := h.cfg.show()
	if m := q.Message.Message; m != nil {
		if !hasButton(m.ReplyMarkup, q.Data) {
			return payload{}, errNoButton
		}
		if m.Text == "" { // a picture, say: only the status is kept
			return payload{}, nil
		}
		p := fromPost(ticket.ApplyStatus(toPost(m), change, show))
		p.Keyboard = m.ReplyMarkup
		return p, nil
	}
	t, err := h.tickets.Ticket(ctx, ticketID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return payload{}, errNoButton
	case err != nil:
		return payload{}, fmt.Errorf("look up the ticket of a press: %w", err)
	}
	show.Change = &change
	return payload{Text: ticket.Render(t, show)[0], HTML: true, Keyboard: keyboard(t.ID, show.Texts)}, nil
}
