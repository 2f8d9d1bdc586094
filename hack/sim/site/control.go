// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	maxWait = time.Minute
	maxBody = 64 << 20
)

// routeControl adds the control API; doc.go describes it.
func (s *Server) routeControl() {
	routes := map[string]func(*http.Request) (any, error){
		"POST /sim/feedback": s.controlSend,
		"GET /sim/feedback":  s.controlSent,
		"GET /sim/results":   s.controlResults,
		"GET /sim/connected": s.controlConnected,
		"GET /sim/state":     s.controlState,
		"POST /sim/raw":      s.controlRaw,
		"POST /sim/drop":     s.controlDrop,
		"POST /sim/close":    s.controlClose,
		"GET /sim/faults":    func(*http.Request) (any, error) { return s.Faults(), nil },
		"PUT /sim/faults":    s.controlFaults,
		"PUT /sim/key":       s.controlKey,
		"PUT /sim/token":     s.controlToken,
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
	case errors.Is(err, ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrNotConnected):
		status = http.StatusConflict
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
	given := q.r.URL.Query().Get(name)
	if given == "" {
		return 0
	}
	n, err := strconv.ParseInt(given, 10, 64)
	if err != nil && q.err == nil {
		q.err = fmt.Errorf("parameter %s: %q is not a number", name, given)
	}
	return n
}

// wait returns the request's context, ended after the duration in the parameter wait.
func (q *query) wait() (context.Context, context.CancelFunc) {
	var d time.Duration
	if given := q.r.URL.Query().Get("wait"); given != "" {
		var err error
		if d, err = time.ParseDuration(given); err != nil && q.err == nil {
			q.err = fmt.Errorf("parameter wait: %w", err)
		}
	}
	return context.WithTimeout(q.r.Context(), min(max(d, 0), maxWait))
}

func (s *Server) controlSend(r *http.Request) (any, error) {
	out, err := readBody[Outgoing](r)
	if err != nil {
		return nil, err
	}
	id, err := s.SendOut(out)
	return map[string]string{"id": id}, err
}

func (s *Server) controlSent(r *http.Request) (any, error) {
	q := query{r: r}
	ctx, cancel := q.wait()
	defer cancel()
	if q.err != nil {
		return nil, q.err
	}
	id := r.URL.Query().Get("id")
	if _, known := s.Sent(id); !known {
		return nil, ErrUnknown
	}
	_, _ = s.WaitResult(ctx, id) // a wait that ends early answers with what there is
	sent, _ := s.Sent(id)
	return sent, nil
}

func (s *Server) controlResults(r *http.Request) (any, error) {
	q := query{r: r}
	least := q.number("min")
	ctx, cancel := q.wait()
	defer cancel()
	if q.err != nil {
		return nil, q.err
	}
	_ = s.WaitResults(ctx, least) // a wait that ends early answers with what there is
	return s.Stats(), nil
}

func (s *Server) controlConnected(r *http.Request) (any, error) {
	q := query{r: r}
	least := q.number("connections")
	ctx, cancel := q.wait()
	defer cancel()
	if q.err != nil {
		return nil, q.err
	}
	_ = s.WaitConnection(ctx, least) // a wait that ends early answers with what there is
	return s.Stats(), nil
}

func (s *Server) controlState(r *http.Request) (any, error) {
	q := query{r: r}
	since, limit := q.number("since"), q.number("limit")
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
	stats := s.Stats()
	return map[string]any{"revision": revision, "connected": stats.Connected, "stats": stats,
		"feedback": s.All(since, int(limit))}, nil
}

func (s *Server) controlRaw(r *http.Request) (any, error) {
	body, err := readBody[struct {
		Text   string `json:"text"`
		Base64 string `json:"base64"`
		Binary bool   `json:"binary"`
	}](r)
	if err != nil {
		return nil, err
	}
	data := []byte(body.Text)
	if body.Base64 != "" {
		if data, err = base64.StdEncoding.DecodeString(body.Base64); err != nil {
			return nil, fmt.Errorf("base64: %w", err)
		}
	}
	kind := websocket.TextMessage
	if body.Binary {
		kind = websocket.BinaryMessage
	}
	return struct{}{}, s.SendRaw(kind, data)
}

func (s *Server) controlDrop(*http.Request) (any, error) {
	s.Drop()
	return struct{}{}, nil
}

func (s *Server) controlClose(r *http.Request) (any, error) {
	body, err := readBody[Closing](r)
	if err != nil {
		return nil, err
	}
	s.CloseConnections(body.Code, body.Text)
	return struct{}{}, nil
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	faults, err := readBody[Faults](r)
	if err != nil {
		return nil, err
	}
	if faults.Refuse != nil && (faults.Refuse.Status < 300 || faults.Refuse.Status > 599) {
		return nil, errors.New("refuse.status must be between 300 and 599")
	}
	s.SetFaults(faults)
	return s.Faults(), nil
}

func (s *Server) controlKey(r *http.Request) (any, error) {
	body, err := readBody[struct {
		Secret string `json:"secret"`
		Form   string `json:"form"`
	}](r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	key, form := s.key, s.form
	s.mu.Unlock()
	if body.Secret != "" {
		if key, err = wire.NewKey([]byte(body.Secret)); err != nil {
			return nil, err
		}
	}
	if body.Form != "" {
		if form, err = wire.ParseForm(body.Form); err != nil {
			return nil, err
		}
	}
	s.SetKey(key, form)
	return map[string]string{"key_id": key.ID(), "form": form.String()}, nil
}

func (s *Server) controlToken(r *http.Request) (any, error) {
	body, err := readBody[struct {
		Token  string `json:"token"`
		JWTKey string `json:"jwt_key"`
	}](r)
	if err != nil {
		return nil, err
	}
	accept := AcceptToken(body.Token)
	switch {
	case (body.Token == "") == (body.JWTKey == ""):
		return nil, errors.New("give either token or jwt_key")
	case body.JWTKey != "":
		if accept, err = AcceptJWT([]byte(body.JWTKey)); err != nil {
			return nil, err
		}
	}
	s.SetAccept(accept)
	return struct{}{}, nil
}
