// SPDX-License-Identifier: Apache-2.0

// Package control is how simulators are steered from outside: a control API in JSON, waits for what it shows to change,
// and the page that is a person's way to use it.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const maxWait = time.Minute

// Handler handles a request; the result is what it answers in JSON, unless it fails.
type Handler func(*http.Request) (result any, err error)

// Route adds handlers to a mux by their patterns. Errors are answered as {"error": "..."} with the status of the error.
func Route(mux *http.ServeMux, status func(error) int, handlers map[string]Handler) {
	for pattern, handle := range handlers {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			code := http.StatusOK
			result, err := handle(r)
			if err != nil {
				code, result = status(err), map[string]string{"error": err.Error()}
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(result) // a client that has gone away is no concern of the server's
		})
	}
}

// ReadBody reads a JSON body of at most limit bytes and refuses fields that T does not have.
func ReadBody[T any](r *http.Request, limit int64) (body T, err error) {
	d := json.NewDecoder(io.LimitReader(r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return body, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// Query reads numbers and durations of the URL query of R, and keeps the first error.
type Query struct {
	R   *http.Request
	Err error
}

// Number returns a parameter, 0 where it is not given.
func (q *Query) Number(name string) int64 {
	given := q.R.URL.Query().Get(name)
	if given == "" {
		return 0
	}
	n, err := strconv.ParseInt(given, 10, 64)
	if err != nil && q.Err == nil {
		q.Err = fmt.Errorf("parameter %s: %q is not a number", name, given)
	}
	return n
}

// Wait returns the request's context, ended after the duration in the parameter wait, which is a minute at most.
func (q *Query) Wait() (context.Context, context.CancelFunc) {
	var d time.Duration
	if given := q.R.URL.Query().Get("wait"); given != "" {
		var err error
		if d, err = time.ParseDuration(given); err != nil && q.Err == nil {
			q.Err = fmt.Errorf("parameter wait: %w", err)
		}
	}
	return context.WithTimeout(q.R.Context(), min(max(d, 0), maxWait))
}
