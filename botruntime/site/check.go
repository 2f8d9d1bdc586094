// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http/httptrace"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// checkPatience is how long Check waits for the answer to a ping.
const checkPatience = 5 * time.Second

// Check dials once, pings, and says in words what works, step by step; the error, an *Error unless cfg or ctx is at
// fault, says what does not. A site that allows the bot one connection may end the one that is there.
func Check(ctx context.Context, cfg Config) (passed []string, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	credentials := cfg.Credentials()
	passed, err = check(ctx, &cfg, credentials)
	var why *Error
	if credentials.JWTPrevious == "" || !errors.As(err, &why) || !why.refused() {
		return passed, err
	}
	passed = append(passed, "the site does not accept the new token yet, so the previous one is tried, as the bot does: "+why.Message)
	credentials.JWT = credentials.JWTPrevious
	again, err := check(ctx, &cfg, credentials)
	return append(passed, again...), err
}

// check is Check with one token.
func check(ctx context.Context, cfg *Config, credentials Credentials) (passed []string, err error) {
	say := func(format string, args ...any) { passed = append(passed, fmt.Sprintf(format, args...)) }
	// The names that a dual-stack dial tries arrive from several goroutines; only the first dial is told.
	steps := make(chan string, 8)
	l, err := dial(httptrace.WithClientTrace(ctx, checkTrace(steps)), cfg, credentials)
	for reported := true; reported; {
		select {
		case step := <-steps:
			say("%s", step)
		default:
			reported = false
		}
	}
	if err != nil {
		return passed, err
	}
	defer func() { _ = l.ws.Close() }()
	say("the site accepted the token and opened a WebSocket")
	if l.version > 1 {
		say("the site speaks version %d of the protocol", l.version)
	}
	took, err := roundTrip(l)
	if err != nil {
		return passed, err
	}
	say("the site answers pings (%v)", took.Round(100*time.Microsecond))
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = l.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(goodbyeTimeout)) // out of courtesy
	return passed, nil
}

// checkTrace reports the steps of a dial that succeed.
func checkTrace(steps chan<- string) *httptrace.ClientTrace {
	report := func(format string, args ...any) {
		select {
		case steps <- fmt.Sprintf(format, args...):
		default: // a name with many addresses; the first will do
		}
	}
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err == nil && len(info.Addrs) > 0 {
				report("the name resolves to %s", info.Addrs[0].String())
			}
		},
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				report("connected to %s", address)
			}
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil && len(state.PeerCertificates) > 0 {
				report("the certificate is accepted, until %s", state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly))
			}
		},
	}
}

// roundTrip pings the site: a site may accept every handshake and close the connection only then.
func roundTrip(l *link) (time.Duration, error) {
	start := time.Now()
	if err := l.ws.SetReadDeadline(start.Add(checkPatience)); err != nil {
		return 0, explainRead(err, checkPatience, l.jwt)
	}
	answered := false
	l.ws.SetPongHandler(func(string) error {
		answered = true
		return errAnswered
	})
	if err := l.ws.WriteControl(websocket.PingMessage, []byte("check"), start.Add(writeTimeout)); err != nil {
		return 0, explainWrite(err)
	}
	for {
		_, _, err := l.ws.NextReader()
		switch {
		case answered:
			return time.Since(start), nil
		case err != nil:
			return 0, explainRead(err, checkPatience, l.jwt)
		}
	}
}

// errAnswered ends the reading of roundTrip.
var errAnswered = &Error{Reason: v1alpha1.ReasonConnected, Message: "the site answered"}
