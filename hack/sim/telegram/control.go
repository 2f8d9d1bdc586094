// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram/richtext"
)

const maxWait = time.Minute

// routeControl adds the control API; doc.go describes it.
func (s *Server) routeControl() {
	routes := map[string]func(*http.Request) (any, error){
		"GET /sim/chats":       s.controlChats,
		"POST /sim/chats":      s.controlAddChat,
		"POST /sim/migrate":    s.controlMigrate,
		"GET /sim/messages":    s.controlMessages,
		"POST /sim/messages":   s.controlAddMessage,
		"DELETE /sim/messages": s.controlDelete,
		"POST /sim/say":        s.controlSay,
		"POST /sim/press":      s.controlPress,
		"GET /sim/callback":    s.controlCallback,
		"GET /sim/state":       s.controlState,
		"GET /sim/stats":       func(*http.Request) (any, error) { return s.Stats(), nil },
		"GET /sim/requests":    s.controlRequests,
		"GET /sim/faults":      func(*http.Request) (any, error) { return s.Faults(), nil },
		"PUT /sim/faults":      s.controlFaults,
		"PUT /sim/limits":      s.controlLimits,
		"PUT /sim/token":       s.controlToken,
	}
	for pattern, handle := range routes {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			result, err := handle(r)
			writeControl(w, result, err)
		})
	}
}

func writeControl(w http.ResponseWriter, result any, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, ErrNoChat), errors.Is(err, ErrNoMessage), errors.Is(err, ErrNoButton):
		status = http.StatusNotFound
	case err != nil:
		status = http.StatusBadRequest
	}
	if err != nil {
		result = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(result) // a client that has gone away is no concern of the server's
}

// readBody reads a JSON body and refuses fields that T does not have.
func readBody[T any](r *http.Request) (body T, err error) {
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return body, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// query reads numbers and durations of a URL query, and keeps the first error.
type query struct {
	r   *http.Request
	err error
}

func (q *query) number(name string) int64 {
	raw := q.r.URL.Query().Get(name)
	if raw == "" {
		return 0
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil && q.err == nil {
		q.err = fmt.Errorf("parameter %s: %q is not a number", name, raw)
	}
	return n
}

// wait returns the request's context, ended after the duration in the parameter wait.
func (q *query) wait() (context.Context, context.CancelFunc) {
	var d time.Duration
	if raw := q.r.URL.Query().Get("wait"); raw != "" {
		var err error
		if d, err = time.ParseDuration(raw); err != nil && q.err == nil {
			q.err = fmt.Errorf("parameter wait: %w", err)
		}
	}
	return context.WithTimeout(q.r.Context(), min(max(d, 0), maxWait))
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
	c, err := readBody[Chat](r)
	if err != nil {
		return nil, err
	}
	return c, s.AddChat(c)
}

func (s *Server) controlMigrate(r *http.Request) (any, error) {
	body, err := readBody[struct {
		From int64 `json:"from"`
		To   int64 `json:"to"`
	}](r)
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
	q := query{r: r}
	chatID, since, limit, least := q.number("chat"), q.number("since"), q.number("limit"), q.number("min")
	ctx, cancel := q.wait()
	defer cancel()
	if q.err != nil {
		return nil, q.err
	}
	if least > 0 { // a wait that ends early answers with what there is
		_, _ = s.WaitMessages(ctx, chatID, int(least))
	}
	messages, _ := s.recent(chatID, since, int(limit))
	return messages, nil
}

func (s *Server) controlAddMessage(r *http.Request) (any, error) {
	m, err := readBody[messageView](r)
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
	q := query{r: r}
	chatID, id := q.number("chat"), q.number("id")
	if q.err != nil {
		return nil, q.err
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
	body, err := readBody[struct {
		ChatID  int64  `json:"chat_id"`
		Text    string `json:"text"`
		By      User   `json:"by"`
		ReplyTo int    `json:"reply_to"`
	}](r)
	if err != nil {
		return nil, err
	}
	by, err := s.somebody(body.By)
	if err != nil {
		return nil, err
	}
	id, err := s.Reply(body.ChatID, body.ReplyTo, body.Text, by)
	return map[string]int{"id": id}, err
}

func (s *Server) controlPress(r *http.Request) (any, error) {
	body, err := readBody[struct {
		ChatID    int64  `json:"chat_id"`
		MessageID int    `json:"message_id"`
		Data      string `json:"data"`
		By        User   `json:"by"`
		Forged    bool   `json:"forged"`
	}](r)
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
	q := query{r: r}
	ctx, cancel := q.wait()
	defer cancel()
	if q.err != nil {
		return nil, q.err
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
	q := query{r: r}
	chatID, since := q.number("chat"), q.number("since")
	ctx, cancel := q.wait()
	defer cancel()
	if q.err != nil {
		return nil, q.err
	}
	var revision int64
	_ = s.WaitFor(ctx, func() bool { // ends early with the state as it is
		s.mu.Lock()
		defer s.mu.Unlock()
		revision = s.rev
		return revision != since
	})
	messages, present := s.recent(chatID, since, pageMessages)
	s.mu.Lock()
	people, bot, commands := append([]User{}, s.people...), s.bot, s.commands
	s.mu.Unlock()
	return map[string]any{"revision": revision, "bot": bot, "people": people, "commands": commands,
		"chats": s.chatViews(), "messages": messages, "present": present}, nil
}

func (s *Server) controlRequests(r *http.Request) (any, error) {
	q := query{r: r}
	limit := q.number("limit")
	return s.Requests(int(limit)), q.err
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	faults, err := readBody[[]Fault](r)
	if err != nil {
		return nil, err
	}
	if err := s.SetFaults(faults...); err != nil {
		return nil, err
	}
	return s.Faults(), nil
}

func (s *Server) controlLimits(r *http.Request) (any, error) {
	l, err := readBody[Limits](r)
	if err != nil {
		return nil, err
	}
	s.SetLimits(l)
	return l, nil
}

func (s *Server) controlToken(r *http.Request) (any, error) {
	body, err := readBody[struct {
		Token string `json:"token"`
	}](r)
	if err != nil {
		return nil, err
	}
	s.SetToken(body.Token)
	return struct{}{}, nil
}
