// SPDX-License-Identifier: Apache-2.0

package telegram_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// client makes a bot of the library that the product uses.
func client(t testing.TB, s *sim, options ...bot.Option) *bot.Bot {
	t.Helper()
	b, err := bot.New(telegram.TestToken, append(options, bot.WithServerURL(s.url))...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A whole conversation through go-telegram/bot: a post, a press that edits it with its formatting kept, an answer.
func TestGoTelegramBot(t *testing.T) {
	s := newSim(t, telegram.Config{})
	var mu sync.Mutex
	var failures []error
	check := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failures = append(failures, err)
		}
	}
	b := client(t, s, bot.WithErrorsHandler(func(error) {}), bot.WithDefaultHandler(
		func(ctx context.Context, b *bot.Bot, u *models.Update) {
			switch {
			case u.CallbackQuery != nil:
				m := u.CallbackQuery.Message.Message
				_, err := b.EditMessageText(ctx, &bot.EditMessageTextParams{ChatID: m.Chat.ID, MessageID: m.ID,
					Text: m.Text + "\nRead by " + u.CallbackQuery.From.FirstName, Entities: m.Entities, ReplyMarkup: m.ReplyMarkup})
				check(err)
				_, err = b.AnswerCallbackQuery(ctx, &bot.AnswerCallbackQueryParams{
					CallbackQueryID: u.CallbackQuery.ID, Text: "Done"})
				check(err)
			case u.Message != nil:
				_, err := b.SendMessage(ctx, &bot.SendMessageParams{ChatID: u.Message.Chat.ID, Text: "You said: " + u.Message.Text,
					ReplyParameters: &models.ReplyParameters{MessageID: u.Message.ID}})
				check(err)
			}
		}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { b.Start(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()

	posted, err := b.SendMessage(t.Context(), &bot.SendMessageParams{ChatID: group, Text: "<b>Ticket</b> #bug &lt;1&gt;",
		ParseMode: models.ParseModeHTML, ReplyMarkup: &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{
			{{Text: "Read", CallbackData: "status_1_read"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Press(group, posted.ID, "status_1_read", support)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.WaitCallbackAnswer(soon(t), id)
	if err != nil || answer.Text != "Done" {
		t.Errorf("answered %+v, %v", answer, err)
	}
	if m, _ := s.Message(group, posted.ID); m.HTML() != "<b>Ticket</b> #bug &lt;1&gt;\nRead by Support" || !m.Edited || len(m.Buttons) != 1 {
		t.Errorf("after the press: %q %+v", m.HTML(), m)
	}

	s.say(visitor.ID, "hello", visitor)
	private, err := s.WaitMessages(soon(t), visitor.ID, 2)
	if err != nil || private[1].Text != "You said: hello" || private[1].ReplyTo != private[0].ID {
		t.Errorf("private chat %+v, %v", private, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if err := errors.Join(failures...); err != nil {
		t.Error(err)
	}
}

// The library's typed errors come out of the simulator's refusals as they do out of Telegram's.
func TestGoTelegramBotErrors(t *testing.T) {
	c := newClock()
	s := newSim(t, telegram.Config{Clock: c.Now, Limits: telegram.Limits{Group: telegram.Rate{Messages: 1, Window: time.Minute}}})
	b := client(t, s)
	send := func(chat any) error {
		_, err := b.SendMessage(t.Context(), &bot.SendMessageParams{ChatID: chat, Text: "x"})
		return err
	}
	if err := send(group); err != nil {
		t.Fatal(err)
	}
	var slow *bot.TooManyRequestsError
	if err := send(group); !errors.As(err, &slow) || slow.RetryAfter != 60 {
		t.Errorf("got %v", err)
	}
	if err := send(int64(-5)); !errors.Is(err, bot.ErrorBadRequest) || !strings.Contains(err.Error(), "chat not found") {
		t.Errorf("got %v", err)
	}
	if err := s.AddChat(telegram.Chat{ID: group, BotStatus: telegram.Kicked}); err != nil {
		t.Fatal(err)
	}
	if err := send(group); !errors.Is(err, bot.ErrorForbidden) {
		t.Errorf("got %v", err)
	}
	member, err := b.GetChatMember(t.Context(), &bot.GetChatMemberParams{ChatID: group, UserID: s.Bot().ID})
	if !errors.Is(err, bot.ErrorForbidden) {
		t.Errorf("got %+v, %v", member, err)
	}
	s.SetToken("123456:ANOTHER-ONE")
	if err := send(group); !errors.Is(err, bot.ErrorUnauthorized) {
		t.Errorf("got %v", err)
	}
}

func TestGoTelegramBotAsks(t *testing.T) {
	s := newSim(t, telegram.Config{})
	b := client(t, s)
	chat, err := b.GetChat(t.Context(), &bot.GetChatParams{ChatID: group})
	if err != nil || chat.Title != "Feedback" || chat.Type != models.ChatTypeSupergroup {
		t.Errorf("got %+v, %v", chat, err)
	}
	member, err := b.GetChatMember(t.Context(), &bot.GetChatMemberParams{ChatID: group, UserID: s.Bot().ID})
	if err != nil || member.Type != models.ChatMemberTypeAdministrator {
		t.Errorf("got %+v, %v", member, err)
	}
	if ok, err := b.SetMyCommands(t.Context(), &bot.SetMyCommandsParams{Commands: []models.BotCommand{
		{Command: "start", Description: "Begin"}}}); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
	if ok, err := b.SendChatAction(t.Context(), &bot.SendChatActionParams{ChatID: group, Action: models.ChatActionTyping}); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
	if ok, err := b.DeleteWebhook(t.Context(), &bot.DeleteWebhookParams{}); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestCallbackQueries(t *testing.T) {
	c := newClock()
	s := newSim(t, telegram.Config{Clock: c.Now})
	old, err := s.AddMessage(telegram.Message{ChatID: group, Text: "Old post", Buttons: [][]telegram.Button{
		{{Text: "Read", CallbackData: "status_1_read"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Press(group, old, "status_1_closed", support); !errors.Is(err, telegram.ErrNoButton) {
		t.Errorf("pressed a button that is not there: %v", err)
	}
	if _, err := s.PressForged(group, old, "status_1_closed", support); err != nil {
		t.Error(err)
	}
	press := func() string {
		id, err := s.Press(group, old, "status_1_read", support)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	const late = "Bad Request: query is too old and response timeout expired or query ID is invalid"
	first, second := press(), press()
	s.wants(s.call("answerCallbackQuery", "callback_query_id", "1"), late)
	s.wants(s.call("answerCallbackQuery", "callback_query_id", first, "text", "Yes", "show_alert", "true"), "")
	if a, ok := s.CallbackAnswer(first); !ok || a.Text != "Yes" || !a.Alert {
		t.Errorf("got %+v", a)
	}
	c.Advance(151 * time.Second)
	s.wants(s.call("answerCallbackQuery", "callback_query_id", second), late)
	if _, ok := s.CallbackAnswer(second); ok {
		t.Error("the late answer counted")
	}
}

func BenchmarkSendMessage(b *testing.B) {
	s := newSim(b, telegram.Config{MaxMessages: 1000})
	c := client(b, s)
	text := "<b>Ticket</b> #bug\n" + strings.Repeat("Текст с &lt;скобками&gt; ", 20)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := c.SendMessage(b.Context(), &bot.SendMessageParams{ChatID: group, Text: text, ParseMode: models.ParseModeHTML})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
