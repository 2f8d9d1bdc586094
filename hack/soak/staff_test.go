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
	// vague is set where it depends on who was faster whether a reply changed the status: the author blocks the bot at times.
	vague bool
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
	own    place // the first message of it
	// to is the author's chat; 0 where the author is not in Telegram.
	to int64
	by string
	// files are what was attached, if anything.
	files []string
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
		case deed < 53:
			s.replyTo(s.direct(number), who, 3)
		case deed < 60:
			s.replyTo(s.direct(number), who, 1)
		case deed < 95:
			s.replyTo(s.direct(number), who, 0)
		default:
			s.replyTo(p, who, 0)
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
	if s.w.isHistory(p.chat) {
		return
	}
	id, err := s.w.telegram.Press(p.chat, p.id, ticket.CallbackData(p.ticket, status), who)
	if err != nil {
		s.w.fail("press at %s: %v", p.ticket, err)
		return
	}
	s.book.presses = append(s.book.presses, id)
	s.book.history(p.ticket).give(change{status, "@" + who.Username})
}

// replyTo answers a ticket, with so many files: several are an album. In a ticket's own topic not every answer is a reply.
func (s *staff) replyTo(p post, who telegram.User, files int) {
	r := &reply{ticket: p.ticket, by: "@" + who.Username}
	var conversationNumber int
	if n, _ := fmt.Sscanf(p.mark, "soakC%da", &conversationNumber); n == 1 {
		r.to = s.book.author(conversationNumber)
	}
	if blocks(r.to) {
		files = min(files, 1) // of an album, the staff is told once
	}
	for range files {
		r.files = append(r.files, s.book.newFile())
	}
	in := telegram.Incoming{ChatID: p.chat, By: who, ReplyTo: p.id}
	if s.w.topics == "PerTicket" && p.chat == group && p.thread != 0 && s.dice.IntN(4) == 0 {
		in.ReplyTo, in.ThreadID = 0, p.thread
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.w.isHistory(p.chat) {
		return
	}
	s.book.replies = append(s.book.replies, r)
	r.number = len(s.book.replies)
	in.Text = mark('R', r.number, 'a') + " " + words(s.dice, 3) + mark('R', r.number, 'z')
	s.write(in, r)
	h := s.book.history(p.ticket)
	h.vague = h.vague || blocks(r.to)
	if (r.to != 0 || s.w.v2) && h.now().status != ticket.StatusClosed { // who wrote on the site reads it there
		h.give(change{ticket.StatusReplied, r.by})
	}
}

// write puts a reply into the chat, each file with a message of its own.
func (s *staff) write(in telegram.Incoming, r *reply) {
	if len(r.files) > 1 {
		in.AlbumID = fmt.Sprintf("staff-%d", r.number)
	}
	for i := range max(1, len(r.files)) {
		if len(r.files) > 0 {
			in.Media = &telegram.Media{Kind: telegram.Document, FileID: r.files[i], FileName: "answer.pdf"}
		}
		id, err := s.w.telegram.Write(in)
		if err != nil {
			s.w.fail("reply to %s: %v", r.ticket, err)
		}
		if i == 0 {
			r.own = place{in.ChatID, id}
		}
		in.Text = ""
	}
}

// history is a ticket's; the ledger must be locked.
func (l *ledger) history(name string) *history {
	if l.histories[name] == nil {
		l.histories[name] = &history{}
	}
	return l.histories[name]
}

// statusOf is a ticket's status by what was done to it.
func (l *ledger) statusOf(name string) ticket.Status {
	if h := l.histories[name]; h != nil {
		return h.now().status
	}
	return ticket.StatusNew
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
