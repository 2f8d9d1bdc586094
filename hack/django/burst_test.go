// SPDX-License-Identifier: Apache-2.0

package django

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/hack/django/process"
)

// outcome is what became of a transaction that created a feedback.
type outcome struct {
	Number    int     `json:"number"`
	Committed bool    `json:"committed"`
	At        float64 `json:"at"` // Unix seconds
	// Error is what the database had against it, Raised what anything else had: that is a fault.
	Error, Raised string
}

func (o outcome) mark() string { return fmt.Sprintf("[%d]", o.Number) }

// burst is a process of the site's that creates feedback.
type burst struct {
	*process.Process
	mu       sync.Mutex
	outcomes []outcome
	errs     []error
	read     chan struct{} // closed when all it said was read
}

// begin starts a burst of count feedbacks from a number on.
func (w *world) begin(first, count int, args ...string) *burst {
	w.t.Helper()
	b := &burst{read: make(chan struct{})}
	out, in := io.Pipe()
	var err error
	b.Process, err = w.site.Begin(filepath.Join(w.dir, "burst.log"), func(cmd *exec.Cmd) { cmd.Stdout = in },
		append([]string{"burst", "--first", strconv.Itoa(first), "--count", strconv.Itoa(count), "--seed", strconv.Itoa(first)}, args...)...)
	must(w.t, err)
	go func() {
		defer close(b.read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			b.note(lines.Bytes())
		}
	}()
	go func() {
		<-b.Done()
		_ = in.Close() // a pipe's end closes without an error
	}()
	return b
}

func (b *burst) note(line []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var o outcome
	if err := json.Unmarshal(line, &o); err != nil {
		b.errs = append(b.errs, fmt.Errorf("%q: %w", line, err))
		return
	}
	b.outcomes = append(b.outcomes, o)
}

// over tells how many of its transactions are.
func (b *burst) over() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.outcomes)
}

// finish waits for its end and returns what became of its feedbacks.
func (b *burst) finish(t testing.TB, count int, within time.Duration) []outcome {
	t.Helper()
	select {
	case <-b.read:
	case <-time.After(within):
		t.Fatalf("the burst is not over after %s: %d of %d", within, b.over(), count)
	}
	if _, err := b.Ended(); err != nil {
		t.Fatalf("the burst: %v", err)
	}
	for _, err := range b.errs {
		t.Error(err)
	}
	if len(b.outcomes) != count {
		t.Fatalf("the burst said what became of %d of %d", len(b.outcomes), count)
	}
	return b.outcomes
}

// entry is a feedback as the site has it.
type entry struct {
	ID           int         `json:"id"`
	Message      string      `json:"message"`
	TelegramSent bool        `json:"telegram_sent"`
	TicketID     string      `json:"telegram_ticket"`
	Status       string      `json:"status"`
	Source       string      `json:"source"`
	Replies      [][2]string `json:"replies"` // who ("staff", "user") and what
}

// ledger lists the site's feedback, once all of it is confirmed or the time is over.
func (w *world) ledger(wait time.Duration) (entries []entry) {
	w.t.Helper()
	out, err := w.site.Manage(w.t.Context(), "ledger", "--wait", fmt.Sprint(wait.Seconds()))
	must(w.t, err)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var e entry
		if err := d.Decode(&e); err == io.EOF {
			return entries
		} else if err != nil {
			w.t.Fatal(err)
		}
		entries = append(entries, e)
	}
}
