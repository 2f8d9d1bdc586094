// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// ofTheFirstBot is a database with testdata/001.sql in it, of the schema of the first bot.
func ofTheFirstBot(t *testing.T) *lab {
	t.Helper()
	l := inDirectory(t)
	script, err := fs.ReadFile(sqliteMigrations, "migrations/sqlite/001_init.sql")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/001.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := openDB(filepath.Join(l.opts.Dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA auto_vacuum = 0;" + string(script) + string(data) + "PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestADatabaseOfTheFirstBotIsTakenOver(t *testing.T) {
	s := ofTheFirstBot(t).open()
	if got, want := s.Counts(), (Counts{Received: 4, Posted: 1, Pending: 2, Failed: 1, LastPosted: epoch.Add(time.Second)}); got != want {
		t.Errorf("counts: %+v, want %+v", got, want)
	}
	if offset, err := s.NextOffset(t.Context()); err != nil || offset != 13 {
		t.Errorf("offset: %d %v", offset, err)
	}
	inTx(t, s, func(tx Tx) error {
		got, err := tx.Ticket("ticket_site_1")
		want := TicketRecord{Ticket: ticket.Ticket{ID: "ticket_site_1", Source: ticket.SourceSite, FeedbackID: 1, TelegramID: 999,
			Username: "user", FirstName: "Имя", Nickname: "PlayerNick", Category: "bug", Message: "Текст \"quoted\" \n line",
			CreatedAt: time.Date(2025, 10, 17, 12, 0, 0, 123_000_000, time.UTC)},
			State: StatePosted, Status: ticket.StatusClosed, StatusBy: "@second", StatusAt: epoch.Add(time.Hour), ReceivedAt: epoch,
			SettledAt: epoch.Add(time.Second), ChatID: group, MessageID: 71}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
	if got := linkOf(t, s, group, 71); got != "ticket_site_1 0/0" {
		t.Errorf("the post that it made is linked to %q", got)
	}
	if got := due(t, s); !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("due: %v", got)
	}
	if got := admit(t, s, request("a", 1), request("new", 2), request("d", 4)); !cmp.Equal(got, []Verdict{Repeated, Repeated, Repeated}) {
		t.Errorf("what it knew: %v", got)
	}
	replay := request("other", 77)
	replay.Nonce = "nonce-d"
	if got := admit(t, s, replay); got[0] != Replayed {
		t.Errorf("a nonce that it knew: %v", got)
	}
	var jobs []string
	for job := advance(t, s, group, nil, true); job != nil; job = advance(t, s, group, sent(job, 80), true) {
		jobs = append(jobs, fmt.Sprintf("%s %s %s %d %v", job.Kind, job.Ticket.ID, job.Payload, job.MessageID, job.MaybeSent))
	}
	if diff := cmp.Diff([]string{"message  {} 0 false", "post ticket_site_3  0 true", "post ticket_site_5  0 false", "edit  edit 71 false"}, jobs); diff != "" {
		t.Errorf("jobs: %s", diff)
	}
	if updates, err := s.PendingUpdates(t.Context(), 0, 9); err != nil || len(updates) != 1 || updates[0].ID != 12 {
		t.Errorf("updates: %v %v", updates, err)
	}
	if mode, err := list[int64](t.Context(), s.engine.reads(), "PRAGMA auto_vacuum"); err != nil || mode[0] != 2 {
		t.Errorf("the file cannot shrink: %v %v", mode, err)
	}
}
