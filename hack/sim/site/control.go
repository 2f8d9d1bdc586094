// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

// maxBody bounds the body of a control request, in bytes.
const maxBody = 64 << 20

// routeControl adds the control API; doc.go describes it.
func (s *Server) routeControl() {
	control.Route(s.mux, controlStatus, map[string]control.Handler{
		"POST /sim/feedback": s.controlSend,
		"GET /sim/feedback":  s.controlSent,
		"GET /sim/results":   s.controlResults,
		"GET /sim/received":  s.controlReceived,
		"PUT /sim/protocol":  s.controlProtocol,
		"GET /sim/connected": s.controlConnected,
		"GET /sim/state":     s.controlState,
		"POST /sim/raw":      s.controlRaw,
		"POST /sim/drop":     s.controlDrop,
		"POST /sim/close":    s.controlClose,
		"GET /sim/faults":    func(*http.Request) (any, error) { return s.Faults(), nil },
		"PUT /sim/faults":    s.controlFaults,
		"PUT /sim/key":       s.controlKey,
		"PUT /sim/token":     s.controlToken,
		"PUT /sim/clock":     s.controlClock,
	})
}

// controlStatus is the HTTP status of an error.
func controlStatus(err error) int {
	switch {
	case errors.Is(err, ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, ErrNotConnected):
		return http.StatusConflict
	default:
		return http.StatusBadRequest
	}
}

func (s *Server) controlSend(r *http.Request) (any, error) {
	out, err := control.ReadBody[Outgoing](r, maxBody)
	if err != nil {
		return nil, err
	}
	id, err := s.SendOut(out)
	return map[string]string{"id": id}, err
}

func (s *Server) controlSent(r *http.Request) (any, error) {
	q := control.Query{R: r}
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
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
	q := control.Query{R: r}
	least := q.Number("min")
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	_ = s.WaitResults(ctx, least) // a wait that ends early answers with what there is
	return s.Stats(), nil
}

func (s *Server) controlConnected(r *http.Request) (any, error) {
	q := control.Query{R: r}
	least := q.Number("connections")
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	_ = s.WaitConnection(ctx, least) // a wait that ends early answers with what there is
	return s.Stats(), nil
}

func (s *Server) controlState(r *http.Request) (any, error) {
	q := control.Query{R: r}
	since, limit := q.Number("since"), q.Number("limit")
	ctx, cancel := q.Wait()
	defer cancel()
	if q.Err != nil {
		return nil, q.Err
	}
	revision := s.rev.WaitChange(ctx, since) // ends early with the state as it is
	stats := s.Stats()
	return map[string]any{"revision": revision, "connected": stats.Connected, "stats": stats,
		"feedback": s.All(since, int(limit))}, nil
}

func (s *Server) controlRaw(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		Text   string `json:"text"`
		Base64 string `json:"base64"`
		Binary bool   `json:"binary"`
	}](r, maxBody)
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
	body, err := control.ReadBody[Closing](r, maxBody)
	if err != nil {
		return nil, err
	}
	s.CloseConnections(body.Code, body.Text)
	return struct{}{}, nil
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	faults, err := control.ReadBody[Faults](r, maxBody)
	if err != nil {
		return nil, err
	}
	if faults.Refuse != nil && (faults.Refuse.Status < 300 || faults.Refuse.Status > 599) {
		return nil, errors.New("refuse.status must be between 300 and 599")
	}
	s.SetFaults(faults)
	return s.Faults(), nil
}
