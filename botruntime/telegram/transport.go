// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

const (
	// maxAnswer bounds what is read of an answer: a hundred updates with long messages have a few MiB.
	maxAnswer = 16 << 20
	// maxRefusal bounds what is read of a refusal.
	maxRefusal = 64 << 10
	// maxDescription bounds what is kept of Telegram's words, in UTF-16 units.
	maxDescription = 200
)

// NewHTTPClient returns a client for the Bot API: connections are kept and used again, and none is trusted for long.
// It speaks HTTP/1.1, where one dead connection takes one call with it.
func NewHTTPClient() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConnsPerHost:    8,
			MaxConnsPerHost:        256,
			IdleConnTimeout:        30 * time.Second, // less than servers keep them: a call should not meet a closing one
			MaxResponseHeaderBytes: 64 << 10,
			Protocols:              protocols,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refusalError is a call that Telegram answered with no.
type refusalError struct {
	Code        int
	Description string // Telegram's words, bounded, without what they quote
	RetryAfter  time.Duration
	MigrateTo   int64
}

func (e *refusalError) Error() string { return fmt.Sprintf("Telegram: %d %s", e.Code, e.Description) }

// outageError is a call without an answer of Telegram's.
type outageError struct {
	// Reached is whether the call may have been carried out nevertheless.
	Reached bool
	What    string
	Err     error
}

func (e *outageError) Error() string { return e.What }
func (e *outageError) Unwrap() error { return e.Err }

// transport carries out calls. It makes typed errors of everything that is no success, free of the address, which has the
// token in it.
type transport struct{ client *http.Client }

var jsonType = []string{"application/json"}

// post sends JSON to an address and returns the body of a successful answer. The body can go out again, over a fresh connection
// when the first one turns out to be closed.
func (t transport) post(ctx context.Context, address string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", withoutURL(err))
	}
	req.Header["Content-Type"] = jsonType
	return t.exchange(req)
}

// exchange carries out a request and returns the body of a successful answer.
func (t transport) exchange(req *http.Request) ([]byte, error) {
	var reached atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached.Store(true) }}
	resp, err := t.client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace))) // #nosec G704 -- the address is the spec's
	if err != nil {
		err = withoutURL(err)
		return nil, &outageError{Reached: reached.Load(), What: wordsFor(err), Err: err}
	}
	defer func() { _ = resp.Body.Close() }() // all that matters of it was read
	if resp.StatusCode != http.StatusOK {
		return nil, readRefusal(resp)
	}
	body, err := readAll(resp)
	if err != nil {
		return nil, &outageError{Reached: true, What: "its answer broke off", Err: err}
	}
	return body, nil
}

// readAll reads an answer of at most maxAnswer bytes, where it says its length with one allocation.
func readAll(resp *http.Response) ([]byte, error) {
	if resp.ContentLength < 0 || resp.ContentLength > maxRefusal {
		return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	}
	body := make([]byte, resp.ContentLength)
	_, err := io.ReadFull(resp.Body, body)
	return body, err
}

// withoutURL takes the address out of an error of net/http's.
func withoutURL(err error) error {
	for u := (*url.Error)(nil); errors.As(err, &u); {
		err = u.Err
	}
	return err
}

// wordsFor says why a call has no answer, in words that stay the same from one try to the next.
func wordsFor(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "the server's name does not resolve"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &op):
		return op.Op + ": " + ticket.Line(op.Err.Error(), maxDescription)
	}
	return ticket.Line(err.Error(), maxDescription)
}

// readRefusal makes an error of an answer that is no success.
func readRefusal(resp *http.Response) error {
	var envelope struct {
		OK          bool   `json:"ok"`
		ErrorCode   int    `json:"error_code"`
		Description string `json:"description"`
		Parameters  struct {
			RetryAfter int64 `json:"retry_after"`
			MigrateTo  int64 `json:"migrate_to_chat_id"`
		} `json:"parameters"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		return &outageError{Reached: true, What: fmt.Sprintf("it answers with HTTP %d", resp.StatusCode)}
	case err != nil || envelope.OK || envelope.ErrorCode == 0:
		return &outageError{What: fmt.Sprintf("what answers (with HTTP %d) is no Bot API server", resp.StatusCode)}
	}
	return &refusalError{
		Code:        envelope.ErrorCode,
		Description: describe(envelope.Description),
		RetryAfter:  time.Duration(min(max(envelope.Parameters.RetryAfter, 0), 86400)) * time.Second,
		MigrateTo:   envelope.Parameters.MigrateTo,
	}
}

var quoted = regexp.MustCompile(`"[^"]*("|$)`)

// describe bounds Telegram's words and drops what they quote: it may be a piece of somebody's message.
func describe(description string) string {
	return quoted.ReplaceAllString(ticket.Line(description, maxDescription), `"…"`)
}
