// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// change is a status that somebody gave.
type change struct {
	status ticket.Status
	by     string
}

// history is what became of a ticket.
type history struct {
	changes []change
	// replied are the posts that the staff replied to.
	replied []int
}

// now is the ticket's status.
func (h *history) now() change {
	if len(h.changes) == 0 {
		return change{status: ticket.StatusNew}
	}
	return h.changes[len(h.changes)-1]
}

// give changes the status; one that is given again by the same person changes nothing.
func (h *history) give(c change) {
	if h.now() != c {
		h.changes = append(h.changes, c)
	}
}

// reply is what the staff answered to a ticket.
type reply struct {
	number int
	ticket string
	post   int
	// to is the author's chat; 0 where the author is not in Telegram.
	to int64
	by string
	// file is what was attached, if anything.
	file string
}

// staff works on tickets, one thing after the other, at a pace that three people have.
type staff struct {
	w      *world
	book   *ledger
	seen   *watch
	dice   *rand.Rand
	people []telegram.User
}

func newStaff(w *world, book *ledger, seen *watch, seed uint64, round int) *staff {
	return &staff{w: w, book: book, seen: seen, dice: lane(seed, "staff", round), people: []telegram.User{
		{ID: 1001, FirstName: "Support", Username: "support_desk", LanguageCode: "en"},
		{ID: 1002, FirstName: "Colleague", Username: "second_line", LanguageCode: "en"},
		{ID: 1004, FirstName: "Night", Username: "night_shift", LanguageCode: "en"}}}
}

func (s *staff) work(stop <-chan struct{}) {
	for wait(stop, 100*time.Millisecond+time.Duration(s.dice.IntN(400))*time.Millisecond) {
		who := s.people[s.dice.IntN(len(s.people))]
		number, deed, status := s.dice.IntN(1<<30), s.dice.IntN(100), ticket.Statuses[s.dice.IntN(len(ticket.Statuses))]
		p, any := s.seen.pick(number)
		switch {
		case !any:
		case deed < 50:
			s.press(p, status, who)
		case deed < 95:
			s.replyTo(s.direct(number), who, deed < 60)
		default:
			s.replyTo(p, who, false)
		}
	}
}

// direct picks a post of a ticket that was written in a direct message, if there is one.
func (s *staff) direct(number int) post {
	all := s.seen.all()
	for i := range all {
		if p := all[(number+i)%len(all)]; p.mark[4] == 'C' {
			return p
		}
	}
	return all[number%len(all)]
}

func (s *staff) press(p post, status ticket.Status, who telegram.User) {
	s.book.mu.Lock() // what is done first is handled first
	defer s.book.mu.Unlock()
	id, err := s.w.telegram.Press(group, p.id, ticket.CallbackData(p.ticket, status), who)
	if err != nil {
		s.w.fail("press at %s: %v", p.ticket, err)
		return
	}
	s.book.presses = append(s.book.presses, id)
	s.book.history(p.ticket).give(change{status, "@" + who.Username})
}

func (s *staff) replyTo(p post, who telegram.User, withFile bool) {
	r := &reply{ticket: p.ticket, post: p.id, by: "@" + who.Username}
	var conversationNumber int
	if n, _ := fmt.Sscanf(p.mark, "soakC%da", &conversationNumber); n == 1 {
		r.to = s.book.author(conversationNumber)
	}
	var media *telegram.Media
	if withFile {
		r.file = s.book.newFile()
		media = &telegram.Media{Kind: telegram.Document, FileID: r.file, FileName: "answer.pdf"}
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.replies = append(s.book.replies, r)
	r.number = len(s.book.replies)
	_, err := s.w.telegram.Write(telegram.Incoming{ChatID: group, By: who, ReplyTo: p.id, Media: media,
		Text: mark('R', r.number, 'a') + " " + words(s.dice, 3) + mark('R', r.number, 'z')})
	if err != nil {
		s.w.fail("reply to %s: %v", p.ticket, err)
	}
	h := s.book.history(p.ticket)
	h.replied = append(h.replied, p.id)
	if r.to != 0 && h.now().status != ticket.StatusClosed {
		h.give(change{ticket.StatusReplied, r.by})
	}
}

// history is a ticket's; the ledger must be locked.
func (l *ledger) history(name string) *history {
	if l.histories[name] == nil {
		l.histories[name] = &history{}
	}
	return l.histories[name]
}

// replied is the ticket that a reply of the staff's is about.
func (l *ledger) replied(mark string) string {
	var number int
	if _, err := fmt.Sscanf(mark, "soakR%da", &number); err != nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replies[number-1].ticket
}
