// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const (
	// writeTimeout is how long the site may leave a write unread.
	writeTimeout = 10 * time.Second
	// answersQueued is how many refusals and pongs may wait for a site that sends faster than it reads.
	answersQueued = 256
	// answersSize is how many bytes of them may wait for one more to be queued: an answer repeats the id of its frame,
	// which may be nearly as long as a frame may be.
	answersSize = 1 << 20
)

// message is a WebSocket message or control frame.
type message struct {
	kind int // such as websocket.TextMessage
	data []byte
}

func textMessage(data []byte) message { return message{websocket.TextMessage, data} }

// writer owns all writes of a session.
type writer struct {
	link    *link
	answers chan message   // from the reader, which must never wait for the site to read
	size    atomic.Int64   // the answers' bytes
	batches chan []message // from the pump
}

func newWriter(l *link) *writer {
	return &writer{link: l, answers: make(chan message, answersQueued), batches: make(chan []message)}
}

// offer queues an answer; it is dropped where too many wait, and false says so.
func (w *writer) offer(m message) bool {
	if w.size.Load() >= answersSize {
		return false
	}
	select {
	case w.answers <- m:
		w.size.Add(int64(len(m.data)))
		return true
	default:
		return false
	}
}

// send hands over messages to write, and waits until the writer takes them.
func (w *writer) send(ctx context.Context, batch []message) error {
	select {
	case w.batches <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes what comes first, and then what comes until ctx is done or a write fails, and pings at every interval.
func (w *writer) run(ctx context.Context, interval time.Duration, batch []message) error {
	probe := []message{{websocket.PingMessage, nil}, textMessage(wire.Ping())}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := w.write(batch); err != nil {
			if !isTimeout(err) {
				awaitEnd(ctx) // the reader knows better: a close frame may have come
			}
			return explainWrite(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			batch = probe
		case batch = <-w.batches:
		case m := <-w.answers:
			batch = w.waiting(m)
		}
	}
}

// awaitEnd waits, for a moment, for ctx to be done.
func awaitEnd(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	<-ctx.Done()
}

// waiting is an answer and those that wait behind it.
func (w *writer) waiting(first message) []message {
	batch, size := []message{first}, len(first.data)
	for len(w.answers) > 0 && len(batch) < answersQueued && size < answersSize {
		m := <-w.answers
		batch, size = append(batch, m), size+len(m.data)
	}
	w.size.Add(-int64(size))
	return batch
}

// write writes messages together.
func (w *writer) write(batch []message) error {
	if err := w.link.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	w.link.cork.cork()
	for _, m := range batch {
		if err := w.link.ws.WriteMessage(m.kind, m.data); err != nil {
			return err
		}
	}
	return w.link.cork.uncork()
}
