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
	// maxAnswer bounds what a probe reads.
	maxAnswer = 1 << 20
)

// Answer is what the socket tells each caller.
type Answer struct {
	// Stuck says why the bot makes no progress; empty when it does.
	Stuck string `json:"stuck,omitempty"`
	// Report is the bot's report.
	Report v1alpha1.BotReport `json:"report"`
}

// Serve answers probes on a unix socket in the state directory until ctx ends. alive is asked at each probe whether the
// bot makes progress.
func Serve(ctx context.Context, stateDir string, tracker *Tracker, alive func(context.Context) error, log *slog.Logger) error {
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
			return fmt.Errorf("accept a probe: %w", err)
		}
		callers.Go(func() {
			if err := answer(ctx, conn, tracker, alive); err != nil {
				log.Debug("answer a probe", "error", err)
			}
		})
	}
}

func answer(ctx context.Context, conn net.Conn, tracker *Tracker, alive func(context.Context) error) (err error) {
	defer func() { err = errors.Join(err, conn.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	a := Answer{Report: tracker.Report()}
	if err := alive(ctx); err != nil {
		a.Stuck = err.Error()
	}
	if err := conn.SetDeadline(time.Now().Add(socketTimeout)); err != nil {
		return err
	}
	return json.NewEncoder(conn).Encode(a)
}

// Ask asks the bot that works in a state directory for its Answer.
func Ask(ctx context.Context, stateDir string) (a Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(stateDir, socketName))
	if err != nil {
		return a, fmt.Errorf("no bot answers for this state directory: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(2 * socketTimeout)); err != nil {
		return a, err
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(&a); err != nil {
		return a, fmt.Errorf("read the bot's answer: %w", err)
	}
	return a, nil
}
