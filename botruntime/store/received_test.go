// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func incoming(id string, apply func(SiteTx) error) Incoming {
	return Incoming{ID: id, Nonce: "nonce-" + id, ReadAt: epoch, NonceUntil: epoch.Add(90 * time.Second), Apply: apply}
}

// sends is the effect of a frame that has a message sent.
func sends(what string) func(SiteTx) error {
	return func(tx SiteTx) error { return tx.Send(Outgoing{ChatID: group, Payload: []byte(what)}) }
}

func takeFrames(t testing.TB, s *Store, frames ...Incoming) (verdicts []Verdict) {
	t.Helper()
	received, err := s.Receive(t.Context(), frames)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range received {
		verdicts = append(verdicts, r.Verdict)
	}
	return verdicts
}

// sentOut are the payloads of the messages that wait for the group.
func sentOut(t testing.TB, s *Store) (payloads string) {
	t.Helper()
	for {
		job := advance(t, s, group, nil, true)
		if job == nil {
			return payloads
		}
		payloads += string(job.Payload)
		advance(t, s, group, sent(job, job.Seq), false)
	}
}

func TestAFrameHasItsEffectOnce(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		if got := takeFrames(t, s, incoming("a", sends("a")), incoming("b", sends("b")), incoming("a", sends("a"))); got[0] != Accepted ||
			got[1] != Accepted || got[2] != Repeated {
			t.Errorf("verdicts: %v", got)
		}
		s = l.reopen(s)
		if got := takeFrames(t, s, incoming("b", sends("b"))); got[0] != Repeated {
			t.Errorf("after a restart: %v", got)
		}
		if got := sentOut(t, s); got != "ab" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestANonceOfAnotherFrameIsAReplay(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		again := incoming("b", sends("b"))
		again.Nonce = "nonce-a"
		if got := takeFrames(t, s, incoming("a", sends("a")), again); got[1] != Replayed {
			t.Errorf("verdicts: %v", got)
		}
		again.ID = "a"
		if got := takeFrames(t, s, again); got[0] != Repeated {
			t.Errorf("a known frame with a nonce of its own: %v", got)
		}
		if got := sentOut(t, s); got != "a" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestAnEffectThatFailsByItselfIsGivenUpAndHoldsNothingUp(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		broken := errors.New("cannot be made")
		frames := []Incoming{incoming("a", sends("a")), incoming("b", func(tx SiteTx) error {
			return errors.Join(tx.Send(Outgoing{ChatID: group, Payload: []byte("half of b")}), broken)
		}), incoming("c", sends("c"))}
		received, err := s.Receive(t.Context(), frames)
		if err != nil || received[0].Verdict != Accepted || received[1].Verdict != GivenUp || received[2].Verdict != Accepted ||
			!errors.Is(received[1].Why, broken) {
			t.Errorf("%+v, %v", received, err)
		}
		if got := takeFrames(t, s, frames[1]); got[0] != Repeated {
			t.Errorf("again: %v", got)
		}
		if got := sentOut(t, s); got != "ac" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestAFrameThatComesTooSoonIsTakenLater(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		soon := incoming("a", func(SiteTx) error { return fmt.Errorf("no ticket: %w", ErrNotYet) })
		if got := takeFrames(t, s, soon, incoming("b", sends("b"))); got[0] != NotYet || got[1] != Accepted {
			t.Errorf("verdicts: %v", got)
		}
		later := incoming("a", sends("a"))
		later.Nonce = "another"
		if got := takeFrames(t, s, later); got[0] != Accepted {
			t.Errorf("later: %v", got)
		}
		if got := sentOut(t, s); got != "ba" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestAStoreThatFailsRemembersNoFrame(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	mustClose(t, s)
	if _, err := s.Receive(t.Context(), []Incoming{incoming("a", sends("a"))}); !errors.Is(err, ErrClosed) {
		t.Errorf("receive: %v", err)
	}
	if got := takeFrames(t, l.open(), incoming("a", sends("a"))); got[0] != Accepted {
		t.Errorf("verdict: %v", got)
	}
}

// What another transaction or an operator stands in the way of is tried again, by the site.
func TestWhatPassesIsNoReasonToGiveUp(t *testing.T) {
	l := inDirectory(t)
	s := l.open()
	for code, outside := range map[string]bool{"40001": true, "40P01": true, "55P03": true, "57014": true, "22P05": false, "23505": false} {
		frame := incoming(code, func(SiteTx) error { return &pgconn.PgError{Code: code} })
		received, err := s.Receive(t.Context(), []Incoming{frame})
		if (err != nil) != outside || !outside && received[0].Verdict != GivenUp {
			t.Errorf("%s: %+v, %v", code, received, err)
		}
	}
}

func TestATicketIsFoundByWhatTheSiteKnowsOfIt(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 7), request("b", 8))
		for _, c := range []struct {
			name       string
			feedbackID int64
			want       string
		}{
			{"ticket_site_7", 0, "ticket_site_7"}, {"", 8, "ticket_site_8"}, {"ticket_site_7", 8, "ticket_site_7"},
			{"ticket_site_9", 8, "ticket_site_8"}, {"ticket_site_9", 9, ""}, {"", 0, ""},
		} {
			takeFrames(t, s, incoming(c.name+c.want, func(tx SiteTx) error {
				found, err := tx.Find(c.name, c.feedbackID)
				if found.ID != c.want || (c.want == "") != errors.Is(err, ErrNotFound) {
					t.Errorf("%q %d: %+v, %v", c.name, c.feedbackID, found, err)
				}
				return nil
			}))
		}
	})
}

// status gives the ticket a status at the site, and tells whether it was taken and what the ticket has then.
func status(t testing.TB, s *Store, id string, at time.Time, status ticket.Status) (taken bool, now TicketRecord) {
	t.Helper()
	takeFrames(t, s, incoming(id, func(tx SiteTx) (err error) {
		taken, err = tx.TakeStatus(StatusChange{TicketID: "ticket_site_1", Status: status, ActorName: "site", At: at})
		if err == nil {
			now, err = tx.Ticket("ticket_site_1")
		}
		return err
	}))
	return taken, now
}

func TestTheLaterStatusCounts(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		at := epoch.Add(5 * time.Microsecond)
		if taken, now := status(t, s, "1", at, ticket.StatusRead); !taken || now.Status != ticket.StatusRead || now.StatusBy != "site" {
			t.Errorf("the first: %v, %+v", taken, now)
		}
		for _, earlier := range []time.Time{at, at.Add(-time.Microsecond), epoch.Add(-time.Hour)} {
			if taken, now := status(t, s, earlier.String(), earlier, ticket.StatusClosed); taken || now.Status != ticket.StatusRead {
				t.Errorf("of %v: %v, %+v", earlier, taken, now)
			}
		}
		if taken, now := status(t, s, "2", at.Add(time.Microsecond), ticket.StatusClosed); !taken || now.Status != ticket.StatusClosed {
			t.Errorf("a microsecond later: %v, %+v", taken, now)
		}
		if due := dueEvents(t, s, allKinds...); len(due) != 0 {
			t.Errorf("the site is told of what it told: %+v", due)
		}
	})
}

// The site's clock may be ahead: what the staff does after it still comes after it, here and there.
func TestAStatusOfTheStaffIsNeverEarlierThanTheOneBefore(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		ahead := epoch.Add(40*time.Second + 7*time.Microsecond)
		status(t, s, "1", ahead, ticket.StatusClosed)
		inTx(t, s, func(tx Tx) error {
			return tx.SetStatus(StatusChange{TicketID: "ticket_site_1", Status: ticket.StatusReplied, ActorID: 5, ActorName: "@anna", At: epoch})
		})
		due := dueEvents(t, s, EventStatus)
		if len(due) != 1 || !due[0].At.Equal(ahead) || due[0].By.TelegramID != 5 || due[0].FeedbackID != 1 {
			t.Fatalf("the site is told %+v", due)
		}
		if taken, now := status(t, s, "2", ahead, ticket.StatusNew); taken || now.Status != ticket.StatusReplied {
			t.Errorf("the site's, of the same time: %v, %+v", taken, now)
		}
	})
}

// Tickets may be kept for less time than a site keeps what was not acknowledged.
func TestARequestIsKnownAfterItsTicketWasSwept(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		now := epoch
		l.opts.Now = func() time.Time { return now }
		l.opts.Retention.Tickets = 2 * day
		s := l.open()
		r := request("a", 1)
		r.KnownFirst = true
		admit(t, s, r)
		advance(t, s, group, sent(advance(t, s, group, nil, true), 5), false)
		results, err := s.DueResults(t.Context(), 0, 10)
		if err != nil || len(results) != 1 {
			t.Fatalf("due: %+v, %v", results, err)
		}
		if err := s.ConfirmEachResult(t.Context(), []int64{results[0].Seq}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			want  Verdict
		}{{3 * day, Repeated}, {9 * day, Repeated}, {16 * day, Repeated}, {23 * day, Repeated}, {30 * day, Repeated}, {33 * day, Accepted}} {
			now = epoch.Add(c.after)
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			again := r
			again.ReadAt, again.NonceUntil = now, now.Add(90*time.Second)
			if got := admit(t, s, again); got[0] != c.want {
				t.Errorf("after %v: %v, want %v", c.after, got, c.want)
			}
		}
	})
}

func TestReceivedIdsAreKeptForAMonth(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		now := epoch
		l.opts.Now = func() time.Time { return now }
		s := l.open()
		takeFrames(t, s, incoming("a", sends("a")))
		for _, c := range []struct {
			after time.Duration
			want  Verdict
		}{{30 * day, Repeated}, {32 * day, Accepted}} {
			now = epoch.Add(c.after)
			if err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := takeFrames(t, s, incoming("a", sends("a"))); got[0] != c.want {
				t.Errorf("after %v: %v, want %v", c.after, got, c.want)
			}
		}
	})
}
