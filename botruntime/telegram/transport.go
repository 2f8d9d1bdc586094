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

// transport carries out go-telegram/bot's requests. It makes typed errors of everything that is no success, free of
// the address, which has the token in it.
type transport struct{ client *http.Client }

// Do sends a request. Its body, a pipe, is read first: with a length it goes out in one piece, and can go out again
// over a fresh connection when the first one turns out to be closed.
func (t transport) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, fmt.Errorf("build the request: %w", err)
		}
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
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
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &outageError{Reached: true, What: "its answer broke off", Err: err}
	}
	if keep, ok := req.Context().Value(answerKey{}).(*[]byte); ok {
		*keep = body
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// answerKey is the context's key for where to keep the body of a successful answer.
type answerKey struct{}

// keepAnswer has the body of a call's successful answer kept.
func keepAnswer(ctx context.Context) (context.Context, *[]byte) {
	body := new([]byte)
	return context.WithValue(ctx, answerKey{}, body), body
}

// acceptance is what matters of the answer to a message that Telegram took.
type acceptance struct {
	OK     bool `json:"ok"`
	Result struct {
		MessageID int   `json:"message_id"`
		Date      int64 `json:"date"`
	} `json:"result"`
}

// readAcceptance reads an answer. Telegram took the message even where the rest of its answer is beyond the library:
// sending it again would post it twice.
func readAcceptance(body []byte) (a acceptance, ok bool) {
	err := json.Unmarshal(body, &a)
	return a, err == nil && a.OK && a.Result.MessageID != 0
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
