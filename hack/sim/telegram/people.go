// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// What a person cannot do.
var (
	ErrNoMessage = errors.New("message not found")
	ErrNoButton  = errors.New("the message has no such button")
)

// AddMessage puts a message into a chat as if the bot had posted it before this Server began (or as if m.From had, if
// set), without an update or a limit. It keeps m.ID and m.Date where they are set, and returns the id.
func (s *Server) AddMessage(m Message) (int, error) {
	t, err := richtext.Compose(richtext.Text{Text: m.Text, Entities: m.Entities})
	if err != nil {
		return 0, fmt.Errorf("add message: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[m.ChatID]
	if ch == nil {
		return 0, fmt.Errorf("add message to chat %d: %w", m.ChatID, ErrNoChat)
	}
	if m.ID > 0 && ch.find(m.ID) != nil {
		return 0, fmt.Errorf("add message: chat %d has a message %d", m.ChatID, m.ID)
	}
	if m.From.ID == 0 {
		m.From = s.bot
	}
	m.Text, m.Entities = t.Text, t.Entities
	added := &message{Message: m}
	s.post(ch, added)
	return added.ID, nil
}

// Delete removes a message as an administrator of the chat would; it tells whether the message was there.
func (s *Server) Delete(chatID int64, messageID int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[chatID]
	return ch != nil && s.remove(ch, messageID)
}

// CallbackAnswer is what the bot answered to the press of a button.
type CallbackAnswer struct {
	Text  string    `json:"text"`  // shown for a moment, or in a box if Alert
	Alert bool      `json:"alert"` //
	URL   string    `json:"url,omitempty"`
	At    time.Time `json:"at"`
}

// press is the press of a button.
type press struct {
	at     time.Time
	answer *CallbackAnswer
}

const (
	maxPresses  = 10_000
	maxPressAge = 150 * time.Second
	maxToast    = 200 // characters
)

// Press presses the button with the given callback data in a person's name. It returns the callback query's id.
func (s *Server) Press(chatID int64, messageID int, data string, by User) (string, error) {
	return s.press(chatID, messageID, data, by, false)
}

// PressForged is Press without a look at whether the message has such a button: the data of a query comes from the
// person's program, which may be any.
func (s *Server) PressForged(chatID int64, messageID int, data string, by User) (string, error) {
	return s.press(chatID, messageID, data, by, true)
}

func (s *Server) press(chatID int64, messageID int, data string, by User, forged bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.chats[chatID]
	if ch == nil {
		return "", fmt.Errorf("press in chat %d: %w", chatID, ErrNoChat)
	}
	m := ch.find(messageID)
	if m == nil {
		return "", fmt.Errorf("press at message %d: %w", messageID, ErrNoMessage)
	}
	has := slices.ContainsFunc(m.Buttons, func(row []Button) bool {
		return slices.ContainsFunc(row, func(b Button) bool { return b.CallbackData == data && data != "" })
	})
	if !has && !forged {
		return "", fmt.Errorf("press %q at message %d: %w", data, messageID, ErrNoButton)
	}
	s.meet(by)
	s.stats.Presses++
	id := strconv.FormatInt(4_000_000_000_000_000_000+s.stats.Presses, 10)
	s.presses[id] = &press{at: s.clock()}
	s.pressed = append(s.pressed, id)
	if len(s.pressed) > maxPresses {
		delete(s.presses, s.pressed[0])
		s.pressed = s.pressed[1:]
	}
	s.push("callback_query", apiCallbackQuery{ID: id, From: by, Message: ch.api(m, true),
		ChatInstance: chatInstance(chatID), Data: data})
	return id, nil
}

// chatInstance is the number by which a bot may tell chats apart.
func chatInstance(chatID int64) string {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt(nil, chatID, 10)) // never fails
	return strconv.FormatInt(int64(h.Sum64()>>1), 10)
}

func (s *Server) answerCallbackQuery(c *call) (any, error) {
	p := c.params
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.presses[p["callback_query_id"]]
	now := s.clock()
	if pr == nil || pr.answer != nil || now.Sub(pr.at) > maxPressAge {
		return nil, badRequest("query is too old and response timeout expired or query ID is invalid")
	}
	if len([]rune(p["text"])) > maxToast {
		return nil, badRequest("MESSAGE_TOO_LONG")
	}
	pr.answer = &CallbackAnswer{Text: p["text"], Alert: p.bool("show_alert"), URL: p["url"], At: now}
	s.stats.Answered++
	s.rev.Grow()
	return true, nil
}

// CallbackAnswer returns what the bot answered to a press, and false while it has not.
func (s *Server) CallbackAnswer(id string) (CallbackAnswer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.presses[id]; p != nil && p.answer != nil {
		return *p.answer, true
	}
	return CallbackAnswer{}, false
}
