// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

// linkOf is the ticket's name that a message is linked to, with the message on the other side; "" for none.
func linkOf(t testing.TB, s *Store, chatID, messageID int64) (is string) {
	t.Helper()
	inTx(t, s, func(tx Tx) error {
		l, err := tx.MessageTicket(chatID, messageID)
		if errors.Is(err, ErrNotFound) {
			is = ""
			return nil
		}
		is = fmt.Sprintf("%s %d/%d", l.Ticket, l.PeerChatID, l.PeerMessageID)
		return err
	})
	return is
}

func TestMessagesBelongToTickets(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		inTx(t, s, func(tx Tx) error { _, err := tx.AddTicket(direct("long"), epoch); return err })
		job := advance(t, s, group, nil, true)
		post := sent(job, 70)
		post.MoreMessages = []int64{71, 72}
		advance(t, s, group, post, false)
		// A reply of the staff's is linked when it is handled, and goes to the author.
		inTx(t, s, func(tx Tx) error {
			return errors.Join(tx.LinkMessage(Link{ChatID: group, MessageID: 80, Ticket: "ticket_tg_1", At: epoch}),
				tx.Send(Outgoing{ChatID: author, Copy: true, FromChatID: group, FromMessageID: 80, Ticket: "ticket_tg_1", ReplyTo: 3}))
		})
		job = advance(t, s, author, nil, true)
		if job.Kind != JobCopy || job.FromChatID != group || job.FromMessageID != 80 || job.ReplyTo != 3 || job.Ticket.ID != "ticket_tg_1" {
			t.Errorf("job: %+v", job)
		}
		advance(t, s, author, sent(job, 9), false)
		for message, want := range map[[2]int64]string{
			{group, 70}: "ticket_tg_1 0/0", {group, 71}: "ticket_tg_1 0/0", {group, 72}: "ticket_tg_1 0/0",
			{author, 9}: fmt.Sprintf("ticket_tg_1 %d/80", group), {group, 80}: fmt.Sprintf("ticket_tg_1 %d/9", author),
			{group, 9}: "", {author, 80}: "", {group, 0}: "",
		} {
			if got := linkOf(t, s, message[0], message[1]); got != want {
				t.Errorf("message %v is linked to %q, want %q", message, got, want)
			}
		}
		inTx(t, s, func(tx Tx) error {
			return tx.LinkMessage(Link{ChatID: group, MessageID: 80, Ticket: "ticket_site_old", At: epoch})
		})
		if got := linkOf(t, s, group, 80); got != "ticket_site_old 0/0" {
			t.Errorf("the last link of a message counts, got %q", got)
		}
	})
}

func TestWhatFollowsFromARefusal(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		addDirect(t, s, 70)
		inTx(t, s, func(tx Tx) error {
			then := Outgoing{ChatID: group, Payload: []byte("not delivered"), ReplyTo: 80, Ticket: "ticket_tg_1"}
			return errors.Join(tx.SavePerson(Person{ID: author, Language: "ru", SeenAt: epoch}),
				tx.Send(Outgoing{ChatID: author, Payload: []byte("answer"), Ticket: "ticket_tg_1", IfRefused: []Outgoing{then}}),
				tx.Send(Outgoing{ChatID: author, Payload: []byte("another"), Ticket: "ticket_tg_1", IfRefused: []Outgoing{then}}))
		})
		s = l.reopen(s)
		job := advance(t, s, author, nil, true)
		job = advance(t, s, author, sent(job, 5), true)
		if job := advance(t, s, group, nil, true); job != nil {
			t.Fatalf("after one that was sent: %+v", job)
		}
		advance(t, s, author, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "blocked", Unreachable: true, At: epoch}, false)
		then := advance(t, s, group, nil, true)
		if then == nil || string(then.Payload) != "not delivered" || then.ReplyTo != 80 || then.Ticket.ID != "ticket_tg_1" {
			t.Errorf("job: %+v", then)
		}
		inTx(t, s, func(tx Tx) error {
			p, err := tx.Person(author)
			if !p.Blocked || p.Language != "ru" {
				t.Errorf("person: %+v", p)
			}
			return err
		})
	})
}

// A chat may be out of reach for longer than its tickets are kept.
func TestWhatFollowsFromARefusalUnderATicketThatIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		name := addDirect(t, s, 70)
		inTx(t, s, func(tx Tx) error {
			return errors.Join(tx.Send(Outgoing{ChatID: group, Copy: true, FromChatID: author, FromMessageID: 3, Ticket: name, IfRefused: []Outgoing{
				{Ticket: name, Payload: []byte("not copied")}, {ChatID: author, Ticket: name, Payload: []byte("not passed on")}}}),
				tx.Send(Outgoing{ChatID: group, Copy: true, FromChatID: author, FromMessageID: 4, Ticket: name}))
		})
		now := epoch.Add(91 * day)
		s.opts.Now = func() time.Time { return now }
		sweepLater(t, s)
		if n := rows(t, s, "tickets"); n != 0 {
			t.Fatalf("%d tickets are kept", n)
		}
		job := advance(t, s, group, nil, true)
		job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "no", At: now}, true)
		if job == nil || job.FromMessageID != 4 {
			t.Errorf("the next one: %+v", job)
		}
		if job := advance(t, s, author, nil, true); job == nil || string(job.Payload) != "not passed on" {
			t.Errorf("what follows in a chat of its own: %+v", job)
		}
	})
}

func TestMessagesWaitForTheirTicketsPost(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		inTx(t, s, func(tx Tx) error {
			name, err := tx.AddTicket(direct("with files"), epoch)
			for i := range int64(2) {
				err = errors.Join(err, tx.Send(Outgoing{Copy: true, FromChatID: author, FromMessageID: 10 + i, Ticket: name}))
			}
			return err
		})
		admit(t, s, request("a", 1))
		if chats, err := s.WaitingChats(t.Context()); err != nil || !cmp.Equal(chats, []int64{group}) {
			t.Fatalf("chats: %v %v", chats, err)
		}
		s = l.reopen(s)
		job := advance(t, s, group, nil, true)
		job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Refused, Failure: "no", At: epoch}, true)
		if job.Ticket.ID != "ticket_site_1" {
			t.Fatalf("behind a post that was refused: %+v", job)
		}
		if again, err := s.RetryTicket(t.Context(), "ticket_tg_1"); !again || err != nil {
			t.Fatal(again, err)
		}
		job = advance(t, s, group, sent(job, 70), true)
		var got []string
		for job = advance(t, s, group, sent(job, 71), true); job != nil; job = advance(t, s, group, sent(job, 100), true) {
			got = append(got, fmt.Sprintf("%s %d to %d", job.Kind, job.FromMessageID, job.ReplyTo))
		}
		if want := []string{"copy 10 to 71", "copy 11 to 71"}; !cmp.Equal(want, got) {
			t.Errorf("after the post: %v, want %v", got, want)
		}
		inTx(t, s, func(tx Tx) error {
			if err := tx.Send(Outgoing{Ticket: "ticket_site_old"}); !errors.Is(err, ErrNotFound) {
				t.Errorf("under a post that the store does not know: %v", err)
			}
			return tx.Send(Outgoing{Payload: []byte("later"), Ticket: "ticket_tg_1"})
		})
		if job := advance(t, s, group, nil, true); job == nil || job.ReplyTo != 71 || job.Kind != JobMessage {
			t.Errorf("after the post is there: %+v", job)
		}
	})
}

// A message begins to wait for a post in the commit in which another post found that no message waits.
func TestAMessageThatBeginsToWaitIsNotForgotten(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		job := advance(t, s, group, nil, true)
		begun, goOn := make(chan struct{}), make(chan struct{})
		var writes sync.WaitGroup
		behind := func(change func(*txn) error) {
			queued := len(s.writer.ops)
			writes.Go(func() {
				if _, err := s.writer.do(context.Background(), change); err != nil {
					t.Error(err)
				}
			})
			for len(s.writer.ops) == queued {
				runtime.Gosched()
			}
		}
		var once sync.Once
		writes.Go(func() {
			_ = s.writer.write(context.Background(), func(*txn) error { once.Do(func() { close(begun); <-goOn }); return nil })
		})
		<-begun
		behind(func(tx *txn) error { return s.settle(tx, group, sent(job, 70)) })
		behind(func(tx *txn) error {
			u := &unit{store: s, tx: tx}
			name, err := u.AddTicket(direct("with a file"), epoch)
			return errors.Join(err, u.Send(Outgoing{Copy: true, FromChatID: author, FromMessageID: 10, Ticket: name}))
		})
		close(goOn)
		writes.Wait()
		job = advance(t, s, group, nil, true)
		if job = advance(t, s, group, sent(job, 71), true); job == nil || job.Kind != JobCopy || job.ReplyTo != 71 {
			t.Errorf("behind the post: %+v", job)
		}
	})
}

func TestTopics(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		l.opts.Topic = func(t ticket.Ticket) string { return "ticket:" + t.ID }
		s := l.open()
		admit(t, s, request("a", 1))
		job := advance(t, s, group, nil, true)
		if job.Topic != "ticket:ticket_site_1" || job.ThreadID != 0 {
			t.Fatalf("before the topic is made: %+v", job)
		}
		post := sent(job, 70)
		post.ThreadID = 900
		advance(t, s, group, post, false)
		status := func(now ticket.Status) {
			inTx(t, s, func(tx Tx) error {
				return tx.SetStatus(StatusChange{TicketID: "ticket_site_1", Status: now, At: epoch})
			})
		}
		inTx(t, s, func(tx Tx) error {
			return tx.Send(Outgoing{ChatID: group, Payload: []byte("text"), Ticket: "ticket_site_1"})
		})
		job = advance(t, s, group, nil, true)
		if job.Kind != JobMessage || job.ThreadID != 900 || job.Topic != "ticket:ticket_site_1" {
			t.Errorf("a message of the ticket: %+v", job)
		}
		status(ticket.StatusRead)
		if job = advance(t, s, group, sent(job, 71), true); job != nil {
			t.Errorf("after a status that is no end: %+v", job)
		}
		status(ticket.StatusClosed)
		status(ticket.StatusRead)
		status(ticket.StatusClosed)
		job = advance(t, s, group, nil, true)
		if job == nil || job.Kind != JobTopic || job.Status != ticket.StatusClosed || job.ThreadID != 900 || job.Ticket.ID != "ticket_site_1" {
			t.Fatalf("after its end: %+v", job)
		}
		again := &Outcome{Seq: job.Seq, Kind: Released, ThreadID: 901} // somebody had deleted the topic
		if job = advance(t, s, group, again, true); job.ThreadID != 901 {
			t.Errorf("with a new topic: %+v", job)
		}
		if job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Sent, At: epoch}, true); job != nil {
			t.Errorf("one job for three statuses: %+v", job)
		}
		inTx(t, s, func(tx Tx) error {
			name, err := tx.TopicTicket(group, 901)
			if name != "ticket_site_1" {
				t.Errorf("the topic is that of %q", name)
			}
			for _, thread := range []int64{0, 900} {
				if _, err := tx.TopicTicket(group, thread); !errors.Is(err, ErrNotFound) {
					t.Errorf("topic %d: %v", thread, err)
				}
			}
			return err
		})
	})
}

func TestAGroupBecomesASupergroup(t *testing.T) {
	const super = -1009
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1), request("b", 2))
		advance(t, s, group, sent(advance(t, s, group, nil, true), 70), false)
		inTx(t, s, func(tx Tx) error {
			return errors.Join(tx.Send(Outgoing{ChatID: group, Payload: []byte("text"), ReplyTo: 70, Ticket: "ticket_site_1"}),
				tx.Edit(Edit{ChatID: group, MessageID: 70, Payload: []byte("edit")}))
		})
		job := advance(t, s, group, nil, true)
		if job = advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Migrated, NewChatID: super}, true); job != nil {
			t.Errorf("for the old chat: %+v", job)
		}
		if got := s.EffectiveChat(group); got != super {
			t.Errorf("the chat has become %d", got)
		}
		check := func() {
			t.Helper()
			var got []string
			for job := advance(t, s, super, nil, true); job != nil; job = advance(t, s, super, sent(job, 5), true) {
				got = append(got, fmt.Sprintf("%s %s to %d, again %v", job.Kind, job.Ticket.ID, job.ReplyTo, job.MaybeSent))
			}
			if diff := cmp.Diff([]string{"message ticket_site_1 to 0, again false", "post ticket_site_2 to 0, again false"}, got); diff != "" {
				t.Errorf("for the new chat: %s", diff)
			}
		}
		s = l.reopen(s)
		check()
		admit(t, s, request("c", 3))
		if job := advance(t, s, super, nil, true); job == nil || job.Ticket.ID != "ticket_site_3" {
			t.Errorf("new tickets: %+v", job)
		}
		if got := linkOf(t, s, group, 70); got != "ticket_site_1 0/0" {
			t.Errorf("an old post, as Telegram names it: %q", got)
		}
		if got := linkOf(t, s, super, 70); got != "" {
			t.Errorf("somebody's message with the number of an old post: %q", got)
		}
		// Told without a job, and once more.
		for range 2 {
			advance(t, s, super, &Outcome{Kind: Migrated, NewChatID: -10010}, false)
		}
		if got := []int64{s.EffectiveChat(group), s.EffectiveChat(super), s.EffectiveChat(-10010)}; !cmp.Equal(got, []int64{-10010, -10010, -10010}) {
			t.Errorf("after a second move: %v", got)
		}
	})
}

func TestAReplyIsNotLostWhenItsChatMovesWhileItIsSent(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		job := advance(t, s, group, nil, true)
		advance(t, s, group, &Outcome{Kind: Migrated, NewChatID: -1009}, false)
		advance(t, s, group, sent(job, 70), false)
		if next := advance(t, s, -1009, nil, true); next != nil {
			t.Errorf("posted again: %+v", next)
		}
		if got := due(t, s); !cmp.Equal(got, []string{"a"}) {
			t.Errorf("due: %v", got)
		}
	})
}

func TestWhatIsSentToAGroupThatMovedIsNoRepeat(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		admit(t, s, request("a", 1))
		advance(t, s, group, sent(advance(t, s, group, nil, true), 70), false)
		advance(t, s, group, &Outcome{Kind: Migrated, NewChatID: -1009}, false)
		inTx(t, s, func(tx Tx) error {
			return errors.Join(tx.Edit(Edit{ChatID: group, MessageID: 70}), tx.Send(Outgoing{Payload: []byte("under it"), Ticket: "ticket_site_1"}))
		})
		job := advance(t, s, group, nil, true)
		if job == nil || job.Kind != JobEdit { // of the old message, by its old name
			t.Fatalf("for the old chat: %+v", job)
		}
		advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Migrated, NewChatID: -1009}, false)
		job = advance(t, s, -1009, nil, true)
		if job == nil || job.Kind != JobMessage || job.ReplyTo != 0 || job.MaybeSent {
			t.Errorf("for the new chat: %+v", job)
		}
		if job = advance(t, s, -1009, sent(job, 1), true); job != nil {
			t.Errorf("and then: %+v", job)
		}
	})
}

func TestJobsThatAreReadAheadKeepTheirOrder(t *testing.T) {
	each(t, func(t *testing.T, l *lab) {
		s := l.open()
		for i := range int64(2 * aheadRows) {
			admit(t, s, request(fmt.Sprint(i), 1+i))
		}
		job := advance(t, s, group, nil, true)
		job = advance(t, s, group, sent(job, 1), true) // 2
		inTx(t, s, func(tx Tx) error { return tx.Send(Outgoing{ChatID: group, Payload: []byte("first")}) })
		next := advance(t, s, group, sent(job, 1), true)
		if next.Kind != JobMessage {
			t.Fatalf("a message that came meanwhile: %+v", next)
		}
		job = advance(t, s, group, sent(next, 1), true) // 3
		if again := advance(t, s, group, &Outcome{Seq: job.Seq, Kind: Released}, true); again.Seq != job.Seq {
			t.Errorf("after a release: %+v", again.Ticket)
		}
		if again := advance(t, s, group, nil, true); again.Seq != job.Seq || !again.MaybeSent { // its end was never told
			t.Errorf("after a claim without an end: %+v", again.Ticket)
		}
		inTx(t, s, func(tx Tx) error {
			return tx.SetStatus(StatusChange{TicketID: "ticket_site_4", Status: ticket.StatusRead, At: epoch.Add(time.Hour)})
		})
		for want := int64(4); ; want++ {
			if job = advance(t, s, group, sent(job, 1), true); job == nil {
				if want != 2*aheadRows+1 {
					t.Errorf("ended before %d", want)
				}
				return
			}
			if job.Ticket.FeedbackID != want || (job.Status == ticket.StatusRead) != (want == 4) {
				t.Errorf("want %d: %+v", want, job)
			}
		}
	})
}
