// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store/pgtest"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

const group = -1001

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// lab is a place for a store: a directory, or a schema of a PostgreSQL database.
type lab struct {
	testing.TB
	opts Options
}

var schemas atomic.Int64

// each runs a test with every database.
func each(t *testing.T, test func(*testing.T, *lab)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, inDirectory(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, inSchema(t)) })
}

func options() Options {
	return Options{Route: func(string) (chatID, threadID int64) { return group, 0 }, Now: func() time.Time { return epoch }}
}

func inDirectory(t testing.TB) *lab {
	l := &lab{TB: t, opts: options()}
	l.opts.Dir = t.TempDir()
	return l
}

func inSchema(t testing.TB) *lab {
	l := &lab{TB: t, opts: options()}
	l.opts.DSN, l.opts.Schema = pgtest.DSN(t), fmt.Sprintf("test_%d", schemas.Add(1))
	return l
}

// open opens the store, until the test ends or it is closed.
func (l *lab) open() *Store {
	l.Helper()
	s, err := Open(context.Background(), l.opts)
	if err != nil {
		l.Fatalf("open: %v", err)
	}
	l.Cleanup(func() { _ = s.Close() })
	return s
}

// reopen closes the store and opens it again, as a restarted bot would.
func (l *lab) reopen(s *Store) *Store {
	l.Helper()
	mustClose(l, s)
	return l.open()
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(envVictim) != "" {
		fmt.Fprintln(os.Stderr, "victim:", victim())
		os.Exit(1)
	}
	os.Exit(pgtest.Main(m))
}

func request(id string, feedbackID int64) Request {
	return Request{
		ID: id, Nonce: "nonce-" + id, Signature: wire.Signature{KeyID: "key", Form: wire.FormASCII},
		Ticket: ticket.Ticket{Source: ticket.SourceSite, FeedbackID: feedbackID, Category: "bug", Message: "message of " + id},
		ReadAt: epoch, NonceUntil: epoch.Add(90 * time.Second),
	}
}

func admit(t testing.TB, s *Store, requests ...Request) []Verdict {
	t.Helper()
	verdicts, err := s.Admit(t.Context(), requests)
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	return verdicts
}

func advance(t testing.TB, s *Store, chat int64, done *Outcome, claim bool) *Job {
	t.Helper()
	job, err := s.Advance(t.Context(), chat, done, claim)
	if err != nil {
		t.Fatalf("advance: %v", err)
	}
	return job
}

func due(t testing.TB, s *Store) (ids []string) {
	t.Helper()
	results, err := s.DueResults(t.Context(), 0, 100)
	if err != nil {
		t.Fatalf("due results: %v", err)
	}
	stored, err := read(t.Context(), s, scanResult, selectDueResults, 0, s.writer.syncer.durable(), 100)
	if diff := cmp.Diff(stored, results, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("the database has other results: %v %s", err, diff)
	}
	for _, r := range results {
		ids = append(ids, r.RequestID)
	}
	return ids
}

func sent(job *Job, messageID int64) *Outcome {
	return &Outcome{Seq: job.Seq, Kind: Sent, MessageID: messageID, At: epoch.Add(time.Second)}
}

// handle ends an update by what do makes of it.
func handle(t testing.TB, s *Store, update int64, do func(Tx) error) {
	t.Helper()
	if err := s.Handle(t.Context(), update, do); err != nil {
		t.Fatalf("handle update %d: %v", update, err)
	}
}

// inTx makes changes by an update of their own.
func inTx(t testing.TB, s *Store, do func(Tx) error) {
	t.Helper()
	const update = 1 << 40
	saveUpdates(t, s, update)
	ran := false
	handle(t, s, update, func(tx Tx) error { ran = true; return do(tx) })
	if !ran {
		t.Fatal("the update was not handled")
	}
}

func saveUpdates(t testing.TB, s *Store, ids ...int64) {
	t.Helper()
	var updates []Update
	for _, id := range ids {
		updates = append(updates, Update{ID: id, Payload: []byte("{}")})
	}
	if err := s.SaveUpdates(t.Context(), updates); err != nil {
		t.Fatal(err)
	}
}
