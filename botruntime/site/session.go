// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// requestsQueued is how many requests may wait for the store; the more wait, the more are committed at once.
	requestsQueued = 256
	// goodbyeTimeout is how long the site has to answer the bot's close frame.
	goodbyeTimeout = 500 * time.Millisecond
	// refusalGrace is how long after the handshake a site may refuse the token by closing the connection. One that is open
	// for longer, or has brought a frame, was accepted.
	refusalGrace = 2 * time.Second
	// admitGrace is how long the store has for what was read before the session ended.
	admitGrace = 1500 * time.Millisecond
)

// session is one open connection.
type session struct {
	cfg    *Config
	store  Store
	health Health
	log    *slog.Logger
	link   *link
	writer *writer

	requests chan store.Request // reader -> admitter; closed by the reader
	pongs    chan int64         // reader -> pump: the site has read the results up to this Seq
	asked    atomic.Int64       // the Seq that the confirming ping on its way carries; 0 where there is none
	verdict  sync.Once          // the site accepts the token, or the session ends before
	accepted atomic.Bool        // the site has accepted the token
	onAccept func()             // is called then; may be nil
}

func newSession(c *Client, l *link) *session {
	return &session{
		cfg: &c.cfg, store: c.store, health: c.health, log: c.log, link: l, writer: newWriter(l),
		requests: make(chan store.Request, requestsQueued), pongs: make(chan int64, 1),
	}
}

// run works until the connection ends or ctx is done, and says why.
func (s *session) run(parent context.Context) error {
	ctx, end := context.WithCancelCause(parent)
	defer end(nil)
	// What was read is still admitted after the end.
	admitting, stopAdmitting := context.WithCancel(context.WithoutCancel(parent))
	defer stopAdmitting()

	var reader, tasks sync.WaitGroup
	reader.Go(func() { end(s.read()) })
	tasks.Go(func() { s.admit(admitting, end) })
	tasks.Go(func() { end(s.pump(ctx)) })
	tasks.Go(func() { end(s.writer.run(ctx, s.cfg.PingInterval)) })
	accepting := time.AfterFunc(refusalGrace, s.accept)
	defer accepting.Stop()

	<-ctx.Done()
	s.verdict.Do(func() {})
	grace := time.AfterFunc(admitGrace, stopAdmitting)
	defer grace.Stop()
	cause, code := context.Cause(ctx), 0
	var fault *Error
	if parent.Err() != nil {
		code = websocket.CloseGoingAway
	} else if errors.As(cause, &fault) {
		code = fault.closeCode
		fault.unaccepted = fault.refused() && !s.accepted.Load()
	}
	s.close(code, &reader)
	reader.Wait()
	tasks.Wait()
	return cause
}

// accept notes that the site has accepted the token; after the end of the session it does nothing.
func (s *session) accept() {
	s.verdict.Do(func() {
		s.accepted.Store(true)
		if s.onAccept != nil {
			s.onAccept()
		}
		s.health.Token(tokenKeyID(s.link.jwt))
	})
}

// close closes the connection. With a code, the bot is the one to end it: it says so, and what the site sent before its
// answer is still read.
func (s *session) close(code int, reader *sync.WaitGroup) {
	if code != 0 {
		force := time.AfterFunc(goodbyeTimeout, s.hangUp) // also ends a write that the site does not read
		defer force.Stop()
		frame := websocket.FormatCloseMessage(code, "")
		if err := s.link.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(goodbyeTimeout)); err == nil {
			reader.Wait()
		}
	}
	s.hangUp()
}

func (s *session) hangUp() {
	if err := s.link.ws.Close(); err != nil {
		s.log.Debug("closing the connection", "error", err)
	}
}

// admit makes requests durable, as many as wait at once, until there are no more. A failure ends the session; what waits
// then is not answered, and the site sends it again.
func (s *session) admit(ctx context.Context, end context.CancelCauseFunc) {
	failed := false
	batch := make([]store.Request, 0, requestsQueued)
	for request := range s.requests {
		if failed {
			continue
		}
		batch = s.gather(append(batch[:0], request))
		verdicts, err := s.store.Admit(ctx, batch)
		if err != nil {
			failed = true
			s.log.Error("feedback could not be stored", "count", len(batch), "error", err)
			end(explainStore(fmt.Errorf("store feedback: %w", err)))
			continue
		}
		for i, verdict := range verdicts {
			if verdict == store.Replayed {
				s.refuse(batch[i].ID, batch[i].Signature, wire.ErrReplayedNonce, 0)
				continue
			}
			s.health.FrameAccepted()
		}
		clear(batch) // lets go of the texts
	}
}

// gather appends the requests that wait.
func (s *session) gather(batch []store.Request) []store.Request {
	for len(batch) < cap(batch) {
		select {
		case request, open := <-s.requests:
			if !open {
				return batch
			}
			batch = append(batch, request)
		default:
			return batch
		}
	}
	return batch
}

// sign prints a result, signed now: with the key and in the form of its request where the key is still held, else with
// the preferred key.
func (s *session) sign(result wire.Result, by wire.Signature) ([]byte, error) {
	keys := s.cfg.Credentials().Keys
	key, held := keys.Lookup(by.KeyID)
	if !held {
		key, _ = keys.Preferred()
	}
	return result.AppendFrame(nil, key, by.Form, time.Now().Unix(), uuid.NewString())
}
