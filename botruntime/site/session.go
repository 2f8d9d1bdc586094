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

	"github.com/gorilla/websocket"
	"golang.org/x/sync/semaphore"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
)

const (
	// tasksQueued is how many tasks may wait for the store; the more wait, the more are committed at once.
	tasksQueued = 256
	// tasksSize is how many bytes of them may wait, and be with the store: the frame of a task, and what was decoded of it.
	tasksSize = 8 << 20
	// goodbyeTimeout is how long the site has to answer the bot's close frame.
	goodbyeTimeout = 500 * time.Millisecond
	// refusalGrace is how long after the handshake a site may refuse the token by closing the connection. One that is open
	// for longer, or has brought a frame, was accepted.
	refusalGrace = 2 * time.Second
	// admitGrace is how long the store has for what was read before the session ended.
	admitGrace = 1500 * time.Millisecond
)

// session is one open connection: what both versions of the protocol share.
type session struct {
	cfg    *Config
	host   string
	store  Store
	health Health
	log    *slog.Logger
	link   *link
	writer *writer
	speaks dialect

	tasks    chan task           // reader -> admitter; closed by the reader
	room     *semaphore.Weighted // for the bytes of tasks
	reading  int                 // length of the frame that is handled; the reader's
	verdict  sync.Once           // the site accepts the token, or the session ends before
	accepted atomic.Bool         // the site has accepted the token
	onAccept func()              // is called then; may be nil
	renewed  bool                // a signal of CredentialsChanged was taken; to be read after run
}

// dialect is what a version of the protocol does in its own way.
type dialect interface {
	// greeting is what is written before anything else.
	greeting() ([]message, error)
	// handle judges a frame; the reader calls it.
	handle(data []byte, readAt time.Time)
	// pong is told of every pong; the reader calls it.
	pong(payload string)
	// admit makes durable what tasks ask for, and returns what tells the site so. An error ends the session.
	admit(ctx context.Context, batch []task) ([]message, error)
	// pump brings the site what waits for it, until ctx is done.
	pump(ctx context.Context) error
}

func newSession(c *Client, l *link) *session {
	s := &session{
		cfg: &c.cfg, host: c.host, store: c.store, health: c.health, log: c.log, link: l, writer: newWriter(l),
		tasks: make(chan task, tasksQueued), room: semaphore.NewWeighted(tasksSize),
	}
	if l.version == 2 {
		s.speaks = newV2(s)
	} else {
		s.speaks = &v1{session: s, pongs: make(chan int64, 1)}
	}
	return s
}

// run works until the connection ends or ctx is done, and says why.
func (s *session) run(parent context.Context) error {
	greeting, err := s.speaks.greeting()
	if err != nil {
		s.hangUp()
		return explainStore(err)
	}
	ctx, end := context.WithCancelCause(parent)
	defer end(nil)
	// What was read is still admitted after the end.
	admitting, stopAdmitting := context.WithCancel(context.WithoutCancel(parent))
	defer stopAdmitting()

	var reader, tasks sync.WaitGroup
	reader.Go(func() { end(s.read()) })
	tasks.Go(func() { s.admit(admitting, ctx, end) })
	tasks.Go(func() { end(s.speaks.pump(ctx)) })
	tasks.Go(func() { end(s.writer.run(ctx, s.cfg.PingInterval, greeting)) })
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

// task is what a frame asks to be made durable: a ticket, or another effect, or nothing but its ack.
type task struct {
	request  *store.Request
	incoming *store.Incoming
	// id is the frame's where it asks for nothing; refusal is why, where that is answered before the ack.
	id      string
	refusal error

	size int64 // in bytes, as tasksSize counts them
}

// enqueue hands a task to the admitter. It waits while the store is behind, and so, in the end, does the site.
func (s *session) enqueue(t task) {
	if t.request != nil || t.incoming != nil {
		t.size = min(2*int64(s.reading), tasksSize)
		_ = s.room.Acquire(context.Background(), t.size) // without an end to the waiting it cannot fail
	}
	s.tasks <- t
}

// done lets go of tasks.
func (s *session) done(batch []task) {
	for _, t := range batch {
		s.room.Release(t.size)
	}
	clear(batch) // with their texts
}

// admit makes durable what tasks ask for, as many as wait at once, until there are no more. A failure ends the session;
// what waits then is not answered, and the site sends it again.
func (s *session) admit(ctx, sending context.Context, end context.CancelCauseFunc) {
	failed := false
	batch := make([]task, 0, tasksQueued)
	for first := range s.tasks {
		batch = s.gather(append(batch[:0], first))
		if failed {
			s.done(batch)
			continue
		}
		answers, err := s.speaks.admit(ctx, batch)
		count := len(batch)
		s.done(batch)
		if err != nil {
			failed = true
			s.log.Error("frames could not be stored", "count", count, "error", err)
			end(explainStore(err))
			continue
		}
		if len(answers) > 0 {
			_ = s.writer.send(sending, answers) // else the session has ended, and the site will ask again
		}
	}
}

// gather appends the tasks that wait.
func (s *session) gather(batch []task) []task {
	for len(batch) < cap(batch) {
		select {
		case t, open := <-s.tasks:
			if !open {
				return batch
			}
			batch = append(batch, t)
		default:
			return batch
		}
	}
	return batch
}

// admitTickets asks the store for tickets, and counts the feedbacks that were taken.
func (s *session) admitTickets(ctx context.Context, batch []task) ([]store.Verdict, error) {
	requests := make([]store.Request, len(batch))
	for i := range batch {
		requests[i] = *batch[i].request
	}
	verdicts, err := s.store.Admit(ctx, requests)
	if err != nil {
		return nil, fmt.Errorf("store feedback: %w", err)
	}
	for _, verdict := range verdicts {
		if verdict != store.Replayed {
			s.health.FrameAccepted()
		}
	}
	return verdicts, nil
}
