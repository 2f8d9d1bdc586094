// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"net/http"

	"github.com/go-telegram/bot/models"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

// routeControl adds the control API; doc.go describes it.
func (s *Server) routeControl() {
	control.Route(s.mux, controlStatus, map[string]control.Handler{
		"GET /sim/chats":       s.controlChats,
		"POST /sim/chats":      s.controlAddChat,
		"POST /sim/migrate":    s.controlMigrate,
		"GET /sim/messages":    s.controlMessages,
		"POST /sim/messages":   s.controlAddMessage,
		"DELETE /sim/messages": s.controlDelete,
		"POST /sim/say":        s.controlSay,
		"POST /sim/edit":       s.controlEdit,
		"POST /sim/press":      s.controlPress,
		"GET /sim/callback":    s.controlCallback,
		"GET /sim/state":       s.controlState,
		"GET /sim/stats":       func(*http.Request) (any, error) { return s.Stats(), nil },
		"GET /sim/requests":    s.controlRequests,
		"GET /sim/faults":      func(*http.Request) (any, error) { return s.Faults(), nil },
		"PUT /sim/members":     s.controlMembers,
		"PUT /sim/faults":      s.controlFaults,
		"PUT /sim/limits":      s.controlLimits,
		"PUT /sim/token":       s.controlToken,
	})
}

// controlStatus is the HTTP status of an error.
func controlStatus(err error) int {
	if errors.Is(err, ErrNoChat) || errors.Is(err, ErrNoMessage) || errors.Is(err, ErrNoButton) || errors.Is(err, ErrNoTopic) {
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// chatView is a chat in a list.
type chatView struct {
	Chat
	Messages int          `json:"messages"`
	Last     *messageView `json:"last,omitempty"`
}

// messageView is a message with its text in HTML.
type messageView struct {
	Message
	HTML string `json:"html"`
}

func view(m Message) messageView { return messageView{Message: m, HTML: m.HTML()} }

func (s *Server) chatViews() []chatView {
	out := []chatView{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		ch := s.chats[id]
		v := chatView{Chat: ch.Chat, Messages: len(ch.messages)}
		if n := len(ch.messages); n > 0 {
			last := view(ch.messages[n-1].Message)
			v.Last = &last
		}
		out = append(out, v)
	}
	return out
}

func (s *Server) controlChats(*http.Request) (any, error) { return s.chatViews(), nil }

func (s *Server) controlAddChat(r *http.Request) (any, error) {
	c, err := control.ReadBody[Chat](r, maxBody)
	if err != nil {
		return nil, err
	}
	return c, s.AddChat(c)
}

func (s *Server) controlMigrate(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		From int64 `json:"from"`
		To   int64 `json:"to"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	return body, s.Migrate(body.From, body.To)
}

// recent returns the last limit messages of a chat that changed after a revision, and the ids of all of the last limit.
func (s *Server) recent(chatID, since int64, limit int) (changed []messageView, present []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, present = []messageView{}, []int{}
	ch, ok := s.chats[chatID]
	if !ok {
		return changed, present
	}
	from := 0
	if limit > 0 {
		from = max(0, len(ch.messages)-limit)
	}
	for _, m := range ch.messages[from:] {
		present = append(present, m.ID)
		if m.Revision > since {
			changed = append(changed, view(m.Message))
		}
	}
	return changed, present
}

func (s *Server) controlMessages(r *http.Request) (any, error) {
	q := control.Query{R: r}
	chatID, since, limit, least := q.Number("chat"), q.Number("since"), q.Number("limit"), q.Number("min")
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	if least > 0 { // a wait that ends early answers with what there is
		_, _ = s.WaitMessages(ctx, chatID, int(least))
	}
	messages, _ := s.recent(chatID, since, int(limit))
	return messages, nil
}

func (s *Server) controlAddMessage(r *http.Request) (any, error) {
	m, err := control.ReadBody[messageView](r, maxBody)
	if err != nil {
		return nil, err
	}
	if m.HTML != "" {
		t, err := richtext.ParseHTML(m.HTML)
		if err != nil {
			return nil, err
		}
		m.Text, m.Entities = t.Text, t.Entities
	}
	id, err := s.AddMessage(m.Message)
	return map[string]int{"id": id}, err
}

func (s *Server) controlDelete(r *http.Request) (any, error) {
	q := control.Query{R: r}
	chatID, id := q.Number("chat"), q.Number("id")
	if q.Err != nil {
		return nil, q.Err
	}
	if !s.Delete(chatID, int(id)) {
		return nil, ErrNoMessage
	}
	return struct{}{}, nil
}

// somebody completes a person of whom only the id was given.
func (s *Server) somebody(u User) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.ID <= 0 {
		return u, errors.New("by: a person needs an id")
	}
	if known := s.person(u.ID); known != nil && u.FirstName == "" {
		return *known, nil
	}
	return u, nil
}

func (s *Server) controlSay(r *http.Request) (any, error) {
	in, err := control.ReadBody[Incoming](r, maxBody)
	if err != nil {
		return nil, err
	}
	if in.By, err = s.somebody(in.By); err != nil {
		return nil, err
	}
	id, err := s.Write(in)
	return map[string]int{"id": id}, err
}

func (s *Server) controlPress(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		ChatID    int64  `json:"chat_id"`
		MessageID int    `json:"message_id"`
		Data      string `json:"data"`
		By        User   `json:"by"`
		Forged    bool   `json:"forged"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	by, err := s.somebody(body.By)
	if err != nil {
		return nil, err
	}
	id, err := s.press(body.ChatID, body.MessageID, body.Data, by, body.Forged)
	return map[string]string{"id": id}, err
}

func (s *Server) controlCallback(r *http.Request) (any, error) {
	q := control.Query{R: r}
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	answer, err := s.WaitCallbackAnswer(ctx, r.URL.Query().Get("id"))
	return struct {
		Answered bool `json:"answered"`
		CallbackAnswer
	}{err == nil, answer}, nil
}

// pageMessages is how many messages of a chat the page shows.
const pageMessages = 300

func (s *Server) controlState(r *http.Request) (any, error) {
	q := control.Query{R: r}
	chatID, since := q.Number("chat"), q.Number("since")
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	revision := s.rev.WaitChange(ctx, since) // ends early with the state as it is
	messages, present := s.recent(chatID, since, pageMessages)
	s.mu.Lock()
	people, bot := append([]User{}, s.people...), s.bot
	var commands []models.BotCommand
	if me := s.person(q.Number("me")); me != nil {
		commands = s.shownCommands(chatID, *me)
	}
	s.mu.Unlock()
	return map[string]any{"revision": revision, "bot": bot, "people": people, "commands": commands,
		"chats": s.chatViews(), "messages": messages, "present": present}, nil
}

func (s *Server) controlRequests(r *http.Request) (any, error) {
	q := control.Query{R: r}
	limit := q.Number("limit")
	return s.Requests(int(limit)), q.Err
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	faults, err := control.ReadBody[[]Fault](r, maxBody)
	if err != nil {
		return nil, err
	}
	if err := s.SetFaults(faults...); err != nil {
		return nil, err
	}
	return s.Faults(), nil
}

func (s *Server) controlLimits(r *http.Request) (any, error) {
	l, err := control.ReadBody[Limits](r, maxBody)
	if err != nil {
		return nil, err
	}
	s.SetLimits(l)
	return l, nil
}

func (s *Server) controlMembers(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		ChatID    int64  `json:"chat_id"`
		By        User   `json:"by"`
		Status    string `json:"status"`
		Anonymous bool   `json:"anonymous"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	who, err := s.somebody(body.By)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.SetMember(body.ChatID, who, body.Status, body.Anonymous)
}

func (s *Server) controlEdit(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		ChatID    int64  `json:"chat_id"`
		MessageID int    `json:"message_id"`
		Text      string `json:"text"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.Edit(body.ChatID, body.MessageID, body.Text)
}

func (s *Server) controlToken(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		Token string `json:"token"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	s.SetToken(body.Token)
	return struct{}{}, nil
}
