// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// conversation is a ticket that a person wrote in a direct message.
type conversation struct {
	number             int
	who                int64
	nickname, category string
	files              []string
	// question is the message whose button was pressed.
	question int
	// name is what the bot called the ticket; empty until it did.
	name string
}

// addition is what a person added to a ticket (A), or what the person's text says after an edit (E).
type addition struct {
	kind   byte
	number int
	who    int64
	// answered is the message of the bot's that it replies to; 0 for an edit.
	answered int
	ticket   string
	// refused is set where the bot did not know what the message belongs to, and said so.
	refused bool
}

// ledger is what people and staff did.
type ledger struct {
	mu            sync.Mutex
	conversations []*conversation
	additions     []*addition
	replies       []*reply
	histories     map[string]*history // of the tickets' statuses, by their names
	presses       []string            // ids of presses
	fileNumber    int
	outlawed      int // how many messages were written by people who are banned
}

// person is somebody who writes to the bot, at a person's pace: of more, the bot takes no notice.
type person struct {
	w    *world
	book *ledger
	dice *rand.Rand
	user telegram.User
	stop <-chan struct{}
	// seen is the last message that the person looked at.
	seen int
	// categories are what the person writes about.
	categories []string
	// answered are the staff's replies that the person has thought about.
	answered map[string]bool
}

func newPerson(w *world, book *ledger, seed uint64, number int, stop <-chan struct{}) *person {
	return &person{w: w, book: book, dice: lane(seed, "person", number), stop: stop, categories: []string{"bug", "wish", "question", "other"}, answered: map[string]bool{},
		user: telegram.User{ID: int64(5000 + number), FirstName: fmt.Sprintf("Person <%d> &", number), Username: fmt.Sprintf("person%d", number), LanguageCode: "en"}}
}

// live has conversations until it is told to stop. One that has begun is brought to its end.
func (p *person) live(seen *watch) {
	for p.pause() {
		if !p.converse() {
			return
		}
		if p.pause() {
			p.answerStaff()
		}
		if blocks(p.user.ID) && p.hasArrived(seen) {
			p.block()
		}
	}
}

// pause is the time that a person takes; false when it is time to stop.
func (p *person) pause() bool {
	return wait(p.stop, 1700*time.Millisecond+time.Duration(p.dice.IntN(1500))*time.Millisecond)
}

// think is a pause within a conversation, which goes on.
func (p *person) think() {
	wait(nil, 1700*time.Millisecond+time.Duration(p.dice.IntN(300))*time.Millisecond)
}

// say writes a message.
func (p *person) say(m telegram.Incoming) int {
	m.ChatID, m.By = p.user.ID, p.user
	id, err := p.w.telegram.Write(m)
	if err != nil {
		p.w.fail("%s writes: %v", p.user.Username, err)
	}
	return id
}

// await waits for the bot to say something. A bot that does not has lost the conversation.
func (p *person) await(what string, any ...string) (telegram.Message, bool) {
	var found telegram.Message
	ok := poll(90*time.Second*slowness, func() bool {
		for _, m := range p.w.telegram.Messages(p.user.ID) {
			if m.ID > p.seen && m.From.IsBot && slices.ContainsFunc(any, func(text string) bool { return strings.Contains(m.Text, text) }) {
				found, p.seen = m, m.ID
				return true
			}
		}
		return false
	})
	if !ok {
		p.w.fail("a conversation is lost: %s waits for %s", p.user.Username, what)
	}
	return found, ok
}

// aNickname is how nicknames begin.
const aNickname = "Nick<"

var askText, _, _ = strings.Cut(texts.Direct.AskText.With(ticket.Values{"Min": 10, "Max": 2000}), "\n")

// isSetAside tells that the staff answered something before this conversation had come to its text, and so ended it.
func isSetAside(m telegram.Message) bool { return strings.Contains(m.Text, texts.Direct.SetAside) }

// converse writes a ticket, unless it is set aside. It returns false where the bot left the person alone.
func (p *person) converse() bool {
	c := &conversation{who: p.user.ID, category: p.categories[p.dice.IntN(len(p.categories))]}
	p.say(telegram.Incoming{Text: "/feedback"})
	if _, ok := p.await("the first question", texts.Direct.AskNickname); !ok {
		return false
	}
	p.think()
	nickname := "/skip"
	if p.dice.IntN(3) > 0 {
		c.nickname = fmt.Sprintf(aNickname+"%d>&", p.dice.IntN(1000))
		nickname = c.nickname
	}
	p.say(telegram.Incoming{Text: nickname})
	question, ok := p.await("the categories", texts.Direct.AskCategory, texts.Direct.SetAside)
	if !ok || isSetAside(question) {
		return ok
	}
	p.think()
	c.question = question.ID
	press, err := p.w.telegram.Press(p.user.ID, question.ID, "cat_"+c.category, p.user)
	if err != nil {
		p.w.fail("%s presses: %v", p.user.Username, err)
	}
	p.book.pressed(press)
	if m, ok := p.await("the third question", askText, texts.Direct.SetAside); !ok || isSetAside(m) {
		return ok
	}
	for range max(0, p.dice.IntN(6)-3) {
		p.think()
		file := p.book.newFile()
		c.files = append(c.files, file)
		p.say(telegram.Incoming{Media: &telegram.Media{Kind: telegram.Photo, FileID: file}})
		if _, ok := p.await("the receipt of a file", texts.Direct.KeptFile); !ok {
			return false
		}
	}
	p.think()
	return p.submit(c)
}

// submit writes the text, and sometimes adds to it.
func (p *person) submit(c *conversation) bool {
	album := len(c.files) == 0 && p.dice.IntN(3) == 0
	if album {
		c.files = []string{p.book.newFile(), p.book.newFile(), p.book.newFile()}
	}
	p.book.converse(c)
	text, own := mark('C', c.number, 'a')+" "+words(p.dice, 4)+mark('C', c.number, 'z'), 0
	if album {
		p.album(text, c.files)
	} else {
		own = p.say(telegram.Incoming{Text: text})
	}
	confirmation, ok := p.await("the confirmation", "✅")
	if !ok {
		return false
	}
	name := ticketName.FindString(confirmation.Text)
	p.book.named(c, name)
	if album {
		p.think() // of too many messages a minute the bot takes no notice
		p.think()
		return true
	}
	switch p.dice.IntN(4) {
	case 0:
		p.think()
		return p.add(confirmation.ID, name)
	case 1:
		p.think()
		return p.edit(own, name)
	}
	return true
}

// edit changes the text that became a ticket.
func (p *person) edit(messageID int, name string) bool {
	a := p.book.add(&addition{kind: 'E', who: p.user.ID, ticket: name})
	err := p.w.telegram.Edit(p.user.ID, messageID, mark('E', a.number, 'a')+" "+words(p.dice, 3)+mark('E', a.number, 'z'))
	if err != nil {
		p.w.fail("%s edits: %v", p.user.Username, err)
	}
	_, ok := p.await("the receipt of an edit", texts.Direct.EditNoted.With(ticket.Values{"Ticket": name}))
	return ok
}

// add replies to a message of the bot's, which belongs to a ticket.
func (p *person) add(messageID int, name string) bool {
	a := p.book.add(&addition{kind: 'A', who: p.user.ID, answered: messageID, ticket: name})
	p.say(telegram.Incoming{ReplyTo: messageID, Text: mark('A', a.number, 'a') + " " + words(p.dice, 3) + mark('A', a.number, 'z')})
	m, ok := p.await("the receipt of an addition", added, texts.Direct.Hint)
	a.refused = strings.Contains(m.Text, texts.Direct.Hint)
	return ok
}

var added = strings.TrimSuffix(texts.Direct.Added.With(ticket.Values{"Ticket": ""}), ".")

var staffMark = regexp.MustCompile(`soakR\d+a`)

// answerStaff answers some of the staff's replies that came since.
func (p *person) answerStaff() {
	for _, m := range p.w.telegram.Messages(p.user.ID) {
		found := staffMark.FindString(m.Text)
		if found == "" || !m.From.IsBot || p.answered[found] || time.Since(m.Date) < 3*time.Second {
			continue
		}
		p.answered[found] = true
		if p.dice.IntN(2) == 0 || !p.pause() || !p.add(m.ID, p.book.replied(found)) {
			return
		}
	}
}

func (l *ledger) pressed(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.presses = append(l.presses, id)
}

func (l *ledger) newFile() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fileNumber++
	return fmt.Sprintf("soak-file-%d", l.fileNumber)
}

func (l *ledger) converse(c *conversation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conversations = append(l.conversations, c)
	c.number = len(l.conversations)
}

func (l *ledger) named(c *conversation, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.name = name
}

func (l *ledger) add(a *addition) *addition {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.additions = append(l.additions, a)
	a.number = len(l.additions)
	return a
}

// author is who wrote a conversation's ticket, by the mark of its text.
func (l *ledger) author(number int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conversations[number-1].who
}
