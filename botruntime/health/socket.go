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
	maxAnswer  = 4 << 20
	// callTimeout bounds the wait for what a call by name gives.
	callTimeout = 30 * time.Second
)

// request is what a caller writes, as JSON, before it closes its side. Nothing at all asks for an Answer.
type request struct {
	// Test asks for a test message.
	Test *TestRequest `json:"test,omitempty"`
	// Call names one of Calls.Named, which Arguments are for.
	Call      string          `json:"call,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// callReply is what a call by name gives: a result or an error. A bot that knows no such calls gives neither.
type callReply struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// Answer is what a probe is told.
type Answer struct {
	// Stuck says why the bot makes no progress; empty when it does.
	Stuck string `json:"stuck,omitempty"`
	// Standby is whether it waits until the active bot gives way.
	Standby bool `json:"standby,omitempty"`
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
	// Standby is whether the bot waits until the active one gives way; nil for never.
	Standby func() bool
	// Named are what Call asks for, by name. They read their arguments, and return what is written as JSON.
	Named map[string]func(ctx context.Context, arguments json.RawMessage) (any, error)
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
	switch {
	case r.Test != nil:
		reply = test(ctx, calls, *r.Test)
	case r.Call != "":
		reply = named(ctx, calls, r)
	default:
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
	a.Standby = calls.Standby != nil && calls.Standby()
	return a
}

func named(ctx context.Context, calls Calls, r request) callReply {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	call, ok := calls.Named[r.Call]
	if !ok {
		return callReply{Error: "this bot knows no call " + r.Call}
	}
	result, err := call(ctx, r.Arguments)
	if err != nil {
		return callReply{Error: err.Error()}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return callReply{Error: fmt.Sprintf("encode the result: %v", err)}
	}
	return callReply{Result: text}
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

// ErrNoBot means that no bot answers for a state directory.
var ErrNoBot = errors.New("no bot answers for this state directory")

// Call has the bot that works in a state directory do what a name stands for, and reads the result. ErrNoBot is about
// reaching it; other errors are its own.
func Call(ctx context.Context, stateDir, name string, arguments, result any) error {
	text, err := json.Marshal(arguments)
	if err != nil {
		return fmt.Errorf("encode the arguments: %w", err)
	}
	var reply callReply
	if err := call(ctx, stateDir, &request{Call: name, Arguments: text}, callTimeout+socketTimeout, &reply); err != nil {
		return err
	}
	switch {
	case reply.Error != "":
		return errors.New(reply.Error)
	case reply.Result == nil:
		return errors.New("the bot that runs here is of another version than this command, and does not know it")
	}
	return json.Unmarshal(reply.Result, result)
}

// call writes a request, if there is one, and reads the reply.
func call(ctx context.Context, stateDir string, r *request, timeout time.Duration, reply any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(stateDir, socketName))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoBot, err)
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
