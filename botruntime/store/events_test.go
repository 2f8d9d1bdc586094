// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

var allKinds = []EventKind{EventCreated, EventStatus, EventReply, EventMessage}

func dueEvents(t testing.TB, s *Store, kinds ...EventKind) []DueEvent {
	t.Helper()
	events, err := s.DueEvents(t.Context(), 0, kinds, 100)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func emit(t testing.TB, s *Store, events ...Event) {
	t.Helper()
	inTx(t, s, func(tx Tx) error {
		for _, e := range events {
			if err := tx.Emit(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestEventsWaitForTheSiteWithIdsOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		at := epoch.Add(123_456 * time.Microsecond)
		events := []Event{
			{Kind: EventReply, Ticket: "ticket_site_1", FeedbackID: 1, Actor: "@anna", Text: "Ответ \x00", At: at,
				By: Actor{TelegramID: 7, Username: "anna", Name: "Анна"}, Attachments: []Attachment{{"a.png", "image/png", 3, "file-1"}}},
			{Kind: EventMessage, Ticket: "ticket_site_1", FeedbackID: 1, Text: "and", At: at, Locale: "en"},
		}
		emit(t, s, events...)
		<-s.EventsReady()
		before := dueEvents(t, s, allKinds...)
		if len(before) != 2 || before[0].ID == "" || before[0].ID == before[1].ID {
			t.Fatalf("due: %+v", before)
		}
		events[0].Text = "Ответ \uFFFD"
		for i, e := range before {
			want := events[i]
			want.Seq, want.ID = e.Seq, e.ID
			if diff := cmp.Diff(want, e.Event); diff != "" {
				t.Error(diff)
			}
		}
		s = l.reopen(s)
		if diff := cmp.Diff(before, dueEvents(t, s, allKinds...)); diff != "" {
			t.Errorf("after a restart: %s", diff)
		}
	})
}

func TestAnEventOfATicketBringsTheTicket(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		written := ticket.Ticket{Source: ticket.SourceTelegram, TelegramID: 9, Username: "u", FirstName: "Имя", Nickname: "n",
			Category: "bug", Message: "m", CreatedAt: epoch}
		inTx(t, s, func(tx Tx) (err error) {
			if written.ID, err = tx.AddTicket(written, epoch); err != nil {
				return err
			}
			return tx.Emit(Event{Kind: EventCreated, Ticket: written.ID, Text: "m", At: epoch})
		})
		due := dueEvents(t, s, EventCreated)
		if len(due) != 1 {
			t.Fatalf("due: %+v", due)
		}
		if diff := cmp.Diff(written, due[0].Written); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEventsThatTheSiteDoesNotTakeWait(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		emit(t, s, Event{Kind: EventStatus, At: epoch}, Event{Kind: EventReply, At: epoch}, Event{Kind: EventMessage, At: epoch})
		if due := dueEvents(t, s, EventReply, EventMessage); len(due) != 2 || due[0].Kind != EventReply {
			t.Errorf("due: %+v", due)
		}
		if due := dueEvents(t, s); len(due) != 0 {
			t.Errorf("due to a site that takes nothing: %+v", due)
		}
		if due := dueEvents(t, s, EventStatus); len(due) != 1 {
			t.Errorf("due: %+v", due)
		}
	})
}

// A site forgets after a month what it has had: it must not be told again.
func TestEventsOfLastMonthAreNotDue(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.opts.Retention.Events = 365 * day
		now := epoch
		l.opts.Now = func() time.Time { return now }
		s := l.open()
		emit(t, s, Event{Kind: EventStatus, Ticket: "old", At: epoch}, Event{Kind: EventStatus, Ticket: "new", At: epoch.Add(time.Hour)})
		now = epoch.Add(offeredFor + time.Minute)
		if due := dueEvents(t, s, EventStatus); len(due) != 1 || due[0].Ticket != "new" {
			t.Errorf("due: %+v", due)
		}
	})
}

func TestConfirmedEventsAreGone(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		emit(t, s, Event{Kind: EventStatus, Ticket: "1", At: epoch}, Event{Kind: EventStatus, Ticket: "2", At: epoch}, Event{Kind: EventStatus, Ticket: "3", At: epoch})
		due := dueEvents(t, s, EventStatus)
		if err := s.ConfirmEvents(t.Context(), []int64{due[0].Seq, due[2].Seq, 1 << 40}); err != nil {
			t.Fatal(err)
		}
		s = l.reopen(s)
		if left := dueEvents(t, s, EventStatus); len(left) != 1 || left[0].Ticket != "2" {
			t.Errorf("left: %+v", left)
		}
	})
}

// A site acknowledges one by one, and not always in order.
func TestSingleResultsAreConfirmed(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1), request("b", 2), request("c", 3))
		for range 3 {
			job := advance(t, s, group, nil, true)
			advance(t, s, group, sent(job, job.Seq), false)
		}
		results, err := s.DueResults(t.Context(), 0, 10)
		if err != nil || len(results) != 3 {
			t.Fatalf("due: %+v, %v", results, err)
		}
		if err := s.ConfirmEachResult(t.Context(), []int64{results[0].Seq, results[2].Seq}); err != nil {
			t.Fatal(err)
		}
		if got := due(t, s); !cmp.Equal(got, []string{"b"}) {
			t.Errorf("due: %v", got)
		}
		if err := s.ConfirmResults(t.Context(), results[1].Seq); err != nil {
			t.Fatal(err)
		}
		if got := due(t, s); len(got) != 0 {
			t.Errorf("due: %v", got)
		}
	})
}

// What counts no more must not wait for ever: a ticket with a result that waits is not swept.
func TestAResultThatWasAskedForAgainEndsTheWaitOfThoseBefore(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1), request("b", 2))
		for range 2 {
			job := advance(t, s, group, nil, true)
			advance(t, s, group, sent(job, job.Seq), false)
		}
		for i := range 3 {
			again := request("a", 1)
			again.Nonce = fmt.Sprint("nonce ", i)
			admit(t, s, again)
		}
		results, err := s.DueResults(t.Context(), 0, 10)
		if err != nil || len(results) != 2 || results[1].RequestID != "a" {
			t.Fatalf("due: %+v, %v", results, err)
		}
		if err := s.ConfirmEachResult(t.Context(), []int64{results[1].Seq}); err != nil {
			t.Fatal(err)
		}
		if err := s.writer.write(t.Context(), func(tx *txn) error {
			rows, err := tx.rows(`SELECT request FROM results`)
			left, err := collect(rows, err, scanOne[string])
			if !cmp.Equal(left, []string{"b"}) {
				t.Errorf("left: %v", left)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatCameWithAFeedbackIsPartOfItsAdmission(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		asked := 0
		r := request("a", 1)
		r.Then = func(tx Tx, name string) {
			asked++
			if err := tx.Send(Outgoing{Ticket: name, Payload: []byte("file")}); err != nil {
				t.Error(err)
			}
		}
		if got := admit(t, s, r); got[0] != Accepted {
			t.Fatal(got)
		}
		if got := admit(t, s, r); got[0] != Repeated || asked != 1 {
			t.Errorf("%v, asked %d times", got, asked)
		}
		post := advance(t, s, group, nil, true)
		if file := advance(t, s, group, sent(post, 5), true); file == nil || string(file.Payload) != "file" || file.ReplyTo != 5 {
			t.Errorf("behind the post: %+v", file)
		}
	})
}

func TestAKnownRequestIsKnownBeforeItsNonceIsLookedAt(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		a, b := request("a", 1), request("b", 2)
		admit(t, s, a, b)
		a.Nonce, a.KnownFirst = b.Nonce, true
		if got := admit(t, s, a); got[0] != Repeated {
			t.Errorf("a known request with another's nonce: %v", got)
		}
		c := request("c", 3)
		c.Nonce, c.KnownFirst = b.Nonce, true
		if got := admit(t, s, c); got[0] != Replayed {
			t.Errorf("an unknown request with another's nonce: %v", got)
		}
	})
}

// The bot before kept events, which nobody was told, and the times of statuses in milliseconds.
func TestWhatAnEarlierBotKeptIsForTheSiteToo(t *testing.T) {
	l := inDirectory(t)
	earlier := fstest.MapFS{}
	for _, name := range []string{"001_init.sql", "002_people.sql"} {
		script, err := sqliteMigrations.ReadFile("migrations/sqlite/" + name)
		if err != nil {
			t.Fatal(err)
		}
		earlier[name] = &fstest.MapFile{Data: script}
	}
	db, err := openDB(filepath.Join(l.opts.Dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), db, schema{files: earlier, version: "PRAGMA user_version", note: "PRAGMA user_version = %d"}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO events (seq, kind, ticket, feedback_id, actor, status, text, at)
			VALUES (7, 'status', 'ticket_site_1', 1, '@anna', 'read', '', ?1), (8, 'reply', 'ticket_site_1', 1, '@anna', '', 'x', ?1);
		INSERT INTO tickets (id, name, source, feedback_id, telegram_id, username, first_name, nickname, category, message, created_at,
			received_at, active_at, status, status_at, chat_id) VALUES (1, 'ticket_site_1', 'site', 1, 0, '', '', '', 'bug', 'm', 0, 0, 0, 'read', ?1, ?2)`,
		millis(epoch), group); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := l.open()
	due := dueEvents(t, s, allKinds...)
	if len(due) != 2 || due[0].ID == "" || due[0].ID == due[1].ID {
		t.Fatalf("due: %+v", due)
	}
	want := Event{Seq: 7, ID: due[0].ID, Kind: EventStatus, Ticket: "ticket_site_1", FeedbackID: 1, Actor: "@anna", Status: ticket.StatusRead, At: epoch}
	if diff := cmp.Diff(want, due[0].Event); diff != "" {
		t.Error(diff)
	}
	if taken, now := status(t, s, "1", epoch, ticket.StatusClosed); taken || now.Status != ticket.StatusRead {
		t.Errorf("a status of the same time: %v, %+v", taken, now)
	}
}
