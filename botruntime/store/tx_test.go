// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

const author = 555

// direct is a ticket that its author wrote in a direct message.
func direct(message string) ticket.Ticket {
	return ticket.Ticket{Source: ticket.SourceTelegram, TelegramID: author, Username: "user", FirstName: "Имя", Nickname: "Nick",
		Category: "bug", Message: message, Attachments: 2, CreatedAt: epoch.Add(-time.Minute)}
}

// addDirect adds such a ticket and has it posted as a message.
func addDirect(t testing.TB, s *Store, messageID int64) (name string) {
	t.Helper()
	inTx(t, s, func(tx Tx) (err error) {
		name, err = tx.AddTicket(direct("text"), epoch)
		return err
	})
	advance(t, s, group, sent(advance(t, s, group, nil, true), messageID), false)
	return name
}

func events(t testing.TB, s *Store) []Event {
	t.Helper()
	all, err := read(t.Context(), s, func(row scanner) (e Event, err error) {
		var at int64
		err = row.Scan(&e.Seq, &e.Kind, &e.Ticket, &e.FeedbackID, &e.Actor, &e.Status, &e.Text, &at)
		e.At = fromMillis(at)
		return e, err
	}, `SELECT seq, kind, ticket, feedback_id, actor, status, text, at FROM events ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestATicketOfADirectMessage(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		if name := addDirect(t, s, 70); name != "ticket_tg_1" {
			t.Fatalf("name: %s", name)
		}
		s = l.reopen(s)
		inTx(t, s, func(tx Tx) error {
			got, err := tx.Ticket("ticket_tg_1")
			want := TicketRecord{Ticket: direct("text"), State: StatePosted, Status: ticket.StatusNew, ReceivedAt: epoch,
				SettledAt: epoch.Add(time.Second), ChatID: group, MessageID: 70}
			want.ID = "ticket_tg_1"
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			if _, err := tx.Ticket("ticket_tg_2"); !errors.Is(err, ErrNotFound) {
				t.Errorf("one that is not there: %v", err)
			}
			name, err := tx.AddTicket(direct("another"), epoch)
			if name != "ticket_tg_2" {
				t.Errorf("the next one: %s", name)
			}
			return err
		})
		if got := s.Counts(); got.Received != 2 || got.Posted != 1 || got.Pending != 1 {
			t.Errorf("counts: %+v", got)
		}
		if ids := due(t, s); len(ids) != 0 {
			t.Errorf("results for nobody: %v", ids)
		}
	})
}

func TestStatuses(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 7))
		change := StatusChange{TicketID: "ticket_site_7", Status: ticket.StatusRead, ActorID: 9, ActorName: "@support", At: epoch.Add(time.Hour)}
		old := StatusChange{TicketID: "ticket_site_old", Status: ticket.StatusClosed, ActorID: 9, ActorName: "@support", At: epoch.Add(time.Hour)}
		inTx(t, s, func(tx Tx) error { return errors.Join(tx.SetStatus(change), tx.SetStatus(old)) })
		if job := advance(t, s, group, nil, true); job.Status != ticket.StatusRead || job.StatusBy != "@support" || !job.StatusAt.Equal(change.At) {
			t.Errorf("the job that waited: %+v", job)
		}
		inTx(t, s, func(tx Tx) error {
			got, err := tx.Ticket("ticket_site_7")
			if got.Status != ticket.StatusRead || got.StatusBy != "@support" || !got.StatusAt.Equal(change.At) {
				t.Errorf("ticket: %+v", got)
			}
			return err
		})
		got := events(t, s)
		if len(got) != 2 || got[0].Seq >= got[1].Seq {
			t.Fatalf("events: %+v", got)
		}
		want := []Event{
			{Seq: got[0].Seq, Kind: EventStatus, Ticket: "ticket_site_7", FeedbackID: 7, Actor: "@support", Status: ticket.StatusRead, At: change.At},
			{Seq: got[1].Seq, Kind: EventStatus, Ticket: "ticket_site_old", Actor: "@support", Status: ticket.StatusClosed, At: change.At},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTicketsAreFound(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.opts.Route = func(category string) (chatID, threadID int64) {
			if category == "wish" {
				return -2002, 0
			}
			return group, 0
		}
		s := l.open()
		mine, wish := request("a", 1), request("b", 2)
		mine.Ticket.TelegramID, wish.Ticket.Category = author, "wish"
		admit(t, s, mine, wish)
		addDirect(t, s, 70)
		inTx(t, s, func(tx Tx) error {
			return tx.SetStatus(StatusChange{TicketID: "ticket_site_2", Status: ticket.StatusClosed, At: epoch})
		})
		for name, c := range map[string]struct {
			query TicketQuery
			want  []string
			total int
		}{
			"all":              {TicketQuery{Limit: 9}, []string{"ticket_tg_1", "ticket_site_2", "ticket_site_1"}, 3},
			"a page":           {TicketQuery{Limit: 1, Offset: 1}, []string{"ticket_site_2"}, 3},
			"no page":          {TicketQuery{}, nil, 3},
			"open":             {TicketQuery{Open: true, Limit: 9}, []string{"ticket_tg_1", "ticket_site_1"}, 2},
			"that wait":        {TicketQuery{State: StatePending, Limit: 9}, []string{"ticket_tg_1", "ticket_site_2"}, 2},
			"of an author":     {TicketQuery{AuthorID: author, Limit: 9}, []string{"ticket_tg_1", "ticket_site_1"}, 2},
			"direct ones":      {TicketQuery{AuthorID: author, OnlyDirect: true, Limit: 9}, []string{"ticket_tg_1"}, 1},
			"in another chat":  {TicketQuery{ChatID: -2002, Limit: 9}, []string{"ticket_site_2"}, 1},
			"of somebody else": {TicketQuery{AuthorID: 1, Limit: 9}, nil, 0},
		} {
			inTx(t, s, func(tx Tx) error {
				page, total, err := tx.Tickets(c.query)
				var names []string
				for _, r := range page {
					names = append(names, r.ID)
				}
				if diff := cmp.Diff(c.want, names); diff != "" || total != c.total {
					t.Errorf("%s: total %d, want %d: %s", name, total, c.total, diff)
				}
				return err
			})
		}
	})
}

func TestAFailedTicketIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1), request("b", 2), request("c", 3))
		for job := advance(t, s, group, nil, true); job != nil; {
			job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, At: epoch, Failure: "no"}, true)
		}
		if ids := due(t, s); !cmp.Equal(ids, []string{"a", "b", "c"}) {
			t.Fatalf("due: %v", ids)
		}
		if again, err := s.RetryTicket(t.Context(), "ticket_site_2"); !again || err != nil {
			t.Fatalf("retry: %v %v", again, err)
		}
		for _, name := range []string{"ticket_site_2", "ticket_site_9"} {
			if again, err := s.RetryTicket(t.Context(), name); again || err != nil {
				t.Errorf("one that has not failed: %v %v", again, err)
			}
		}
		if ids := due(t, s); !cmp.Equal(ids, []string{"a", "c"}) {
			t.Errorf("due while it is tried: %v", ids)
		}
		advance(t, s, group, sent(advance(t, s, group, nil, true), 5), false)
		results, err := s.DueResults(t.Context(), 0, 10)
		if err != nil || len(results) != 3 || results[2].RequestID != "b" || results[2].Failure != "" || results[2].MessageID != 5 {
			t.Errorf("results: %v %+v", err, results)
		}
		if n, err := s.RetryAll(t.Context()); n != 2 || err != nil {
			t.Errorf("retry all: %d %v", n, err)
		}
		if got := s.Counts(); got.Pending != 2 || got.Posted != 1 || got.Failed != 0 || got.Received != 3 {
			t.Errorf("counts: %+v", got)
		}
		before := s.Counts()
		if s = l.reopen(s); s.Counts() != before {
			t.Errorf("counts of a restarted bot: %+v, before %+v", s.Counts(), before)
		}
	})
}

// What Telegram refuses again while the others are put back has had its turn.
func TestAllFailedTicketsAreTriedOnce(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		const tickets = 2*sweepTickets + 50
		s := l.open()
		refuse := func(job *Job) *Outcome { return &Outcome{Seq: job.Seq, Kind: Refused, At: epoch, Failure: "no"} }
		for i := range int64(tickets) {
			admit(t, s, request(fmt.Sprint(i), i+1))
		}
		for job := advance(t, s, group, nil, true); job != nil; {
			job = advance(t, s, group, refuse(job), true)
		}
		done := make(chan struct{})
		var refusing sync.WaitGroup
		refusing.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				job, err := s.Advance(context.Background(), group, nil, true)
				if err == nil && job != nil {
					_, err = s.Advance(context.Background(), group, refuse(job), false)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		n, err := s.RetryAll(ctx)
		close(done)
		refusing.Wait()
		if err != nil || n != tickets {
			t.Errorf("%d of %d were put back: %v", n, tickets, err)
		}
	})
}

func TestPeople(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		p := Person{ID: author, Language: "ru", Dialog: []byte(`{"v":1}`), BannedAt: epoch, BannedBy: "@boss",
			ToldAt: epoch.Add(time.Hour), SeenAt: epoch.Add(2 * time.Hour)}
		inTx(t, s, func(tx Tx) error {
			if got, err := tx.Person(author); err != nil || !cmp.Equal(got, Person{ID: author}) {
				t.Errorf("nobody yet: %+v %v", got, err)
			}
			return tx.SavePerson(p)
		})
		s = l.reopen(s)
		inTx(t, s, func(tx Tx) error {
			got, err := tx.Person(author)
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			p = Person{ID: author, Language: "en", SeenAt: epoch}
			return tx.SavePerson(p)
		})
		inTx(t, s, func(tx Tx) error {
			got, err := tx.Person(author)
			if diff := cmp.Diff(p, got); diff != "" {
				t.Error(diff)
			}
			return err
		})
	})
}

func TestASlidingLimit(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		limit := Limit{Uses: 2, Window: 10 * time.Minute}
		take := func(kind string, person int64, after time.Duration) (ok bool, next time.Duration) {
			inTx(t, s, func(tx Tx) error {
				peeked, at1, err1 := tx.Peek(kind, person, limit, epoch.Add(after))
				taken, at2, err2 := tx.Take(kind, person, limit, epoch.Add(after))
				if peeked != taken || !at1.Equal(at2) {
					t.Errorf("peek %v %v, take %v %v", peeked, at1, taken, at2)
				}
				ok, next = taken, 0
				if !at2.IsZero() {
					next = at2.Sub(epoch)
				}
				return errors.Join(err1, err2)
			})
			return ok, next
		}
		for _, c := range []struct {
			kind   string
			person int64
			after  time.Duration
			ok     bool
			next   time.Duration
		}{
			{"feedback", 1, 0, true, 0},
			{"feedback", 1, 3 * time.Minute, true, 0},
			{"feedback", 1, 4 * time.Minute, false, 10 * time.Minute}, // when the first one leaves the window
			{"other", 1, 4 * time.Minute, true, 0},
			{"feedback", 2, 4 * time.Minute, true, 0},
			{"feedback", 1, 10*time.Minute - time.Millisecond, false, 10 * time.Minute},
			{"feedback", 1, 10 * time.Minute, true, 0},
			{"feedback", 1, 11 * time.Minute, false, 13 * time.Minute},
			{"feedback", 1, -time.Minute, true, 0}, // the clock was put back: what is to come does not count
		} {
			if ok, next := take(c.kind, c.person, c.after); ok != c.ok || next != c.next {
				t.Errorf("%s of %d after %v: %v, next %v; want %v, %v", c.kind, c.person, c.after, ok, next, c.ok, c.next)
			}
		}
		limit.Uses = 0
		if ok, _ := take("none", 1, 0); ok {
			t.Error("a limit of none lets through")
		}
	})
}

func TestAHandlerThatFailsLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		saveUpdates(t, s, 1)
		boom := errors.New("boom")
		err := s.Handle(t.Context(), 1, func(tx Tx) error {
			_, err := tx.AddTicket(direct("text"), epoch)
			return errors.Join(err, tx.SavePerson(Person{ID: author, Language: "ru"}), tx.Send(Outgoing{ChatID: author}), boom)
		})
		if !errors.Is(err, boom) {
			t.Fatalf("error: %v", err)
		}
		func() {
			defer func() {
				if p := recover(); p != "panic" {
					t.Errorf("the caller sees %v", p)
				}
			}()
			_ = s.Handle(t.Context(), 1, func(tx Tx) error {
				if err := tx.Send(Outgoing{ChatID: group}); err != nil {
					t.Error(err)
				}
				panic("panic")
			})
		}()
		if waiting, err := s.PendingUpdates(t.Context(), 0, 9); err != nil || len(waiting) != 1 {
			t.Errorf("updates that wait: %v %v", waiting, err)
		}
		if chats, err := s.WaitingChats(t.Context()); err != nil || len(chats) != 0 {
			t.Errorf("chats that jobs wait for: %v %v", chats, err)
		}
		if got := s.Counts(); got != (Counts{}) {
			t.Errorf("counts: %+v", got)
		}
		handle(t, s, 1, func(tx Tx) error {
			if p, err := tx.Person(author); err != nil || p.Language != "" {
				t.Errorf("person: %+v %v", p, err)
			}
			return nil
		})
	})
}

func TestTextsThatADatabaseMayNotTake(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		r := request("id \xed\xa0\x80 \x00", 1) // half a surrogate pair and NUL, as a site may send them
		r.Nonce = "\x01" + r.ID
		r.Ticket.Message, r.Ticket.Nickname = "a\x00b", "\xff"
		admit(t, s, r)
		if got := admit(t, s, r); got[0] != Repeated {
			t.Errorf("the same frame: %v", got)
		}
		job := advance(t, s, group, nil, true)
		if job.Ticket.Message != "a\uFFFDb" || job.Ticket.Nickname != "\uFFFD" {
			t.Errorf("ticket: %+v", job.Ticket)
		}
		advance(t, s, group, sent(job, 1), false)
		if got := due(t, s); !cmp.Equal(got, []string{r.ID}) {
			t.Errorf("the answer is to %q", got)
		}
	})
}
