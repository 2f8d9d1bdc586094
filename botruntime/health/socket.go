// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

const (
	socketName = "health.sock"
	// socketTimeout bounds one probe, on either side.
	socketTimeout = 5 * time.Second
	// testTimeout bounds the wait for a test message: a window of Telegram's limits, and a call.
	testTimeout = 90 * time.Second
	// maxRequest and maxAnswer bound what is read of a call.
	maxRequest = 16 << 10
	maxAnswer  = 1 << 20
)

// request is what a caller writes, as JSON, before it closes its side. Nothing at all asks for an Answer.
type request struct {
	// Test asks for a test message.
	Test *TestRequest `json:"test,omitempty"`
}

// Answer is what a probe is told.
type Answer struct {
	// Stuck says why the bot makes no progress; empty when it does.
	Stuck string `json:"stuck,omitempty"`
	// Report is the bot's report.
	Report v1alpha1.BotReport `json:"report"`
}

// TestRequest asks the bot to post a test message.
type TestRequest struct {
	// Text is added to the message; it may be empty.
	Text string `json:"text,omitempty"`
}

// TestResult is what became of a test message. It was posted where MessageID is not 0.
type TestResult struct {
	// ChatID is the chat that it was for, where the bot knows it; MessageID and At are Telegram's.
	ChatID    int64     `json:"chatID,omitempty"`
	MessageID int64     `json:"messageID,omitempty"`
	At        time.Time `json:"at,omitzero"`
	// Reason is why it was not posted, one of v1alpha1's where one fits; Message says what to do.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// Calls are what the socket asks of the bot.
type Calls struct {
	// Alive is nil while the bot makes progress.
	Alive func(context.Context) error
	// Test posts a test message.
	Test func(context.Context, TestRequest) TestResult
}

// Serve answers calls on a unix socket in the state directory until ctx ends.
func Serve(ctx context.Context, stateDir string, tracker *Tracker, calls Calls, log *slog.Logger) error {
	path := filepath.Join(stateDir, socketName)
	// A socket that a killed bot left behind; the store's lock says that its owner is gone.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the old health socket: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listen on the health socket (a state directory with a short path helps where the path is too long): %w", err)
	}
	var callers sync.WaitGroup
	defer callers.Wait()
	stop := context.AfterFunc(ctx, func() {
		if err := listener.Close(); err != nil {
			log.Warn("close the health socket", "error", err)
		}
	})
	defer stop()
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("accept a call: %w", err)
		}
		callers.Go(func() {
			if err := answer(ctx, conn, tracker, calls); err != nil {
				log.Debug("answer a call", "error", err)
			}
		})
	}
}

func answer(ctx context.Context, conn net.Conn, tracker *Tracker, calls Calls) (err error) {
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(socketTimeout)); err != nil {
		return err
	}
	var r request
	if err := json.NewDecoder(io.LimitReader(conn, maxRequest)).Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the request: %w", err)
	}
	var reply any
	if r.Test != nil {
		reply = test(ctx, calls, *r.Test)
	} else {
		reply = probe(ctx, tracker, calls)
	}
	if err := conn.SetDeadline(time.Now().Add(socketTimeout)); err != nil {
		return err
	}
	return json.NewEncoder(conn).Encode(reply)
}

func probe(ctx context.Context, tracker *Tracker, calls Calls) Answer {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	a := Answer{Report: tracker.Report()}
	if err := calls.Alive(ctx); err != nil {
		a.Stuck = err.Error()
	}
	return a
}

func test(ctx context.Context, calls Calls, r TestRequest) TestResult {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	return calls.Test(ctx, r)
}

// Ask asks the bot that works in a state directory for its Answer.
func Ask(ctx context.Context, stateDir string) (a Answer, err error) {
	err = call(ctx, stateDir, nil, 2*socketTimeout, &a)
	return a, err
}

// SendTest has the bot that works in a state directory post a test message. The error is about reaching the bot;
// whether the message was posted is in the result.
func SendTest(ctx context.Context, stateDir string, r TestRequest) (result TestResult, err error) {
	err = call(ctx, stateDir, &request{Test: &r}, testTimeout+socketTimeout, &result)
	return result, err
}

// call writes a request, if there is one, and reads the reply.
func call(ctx context.Context, stateDir string, r *request, timeout time.Duration, reply any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(stateDir, socketName))
	if err != nil {
		return fmt.Errorf("no bot answers for this state directory: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if r != nil {
		if err := json.NewEncoder(conn).Encode(r); err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
	}
	if half, ok := conn.(*net.UnixConn); ok {
		if err := half.CloseWrite(); err != nil {
			return fmt.Errorf("end the request: %w", err)
		}
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(reply); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("read the bot's answer: %w", err))
	}
	return nil
}
