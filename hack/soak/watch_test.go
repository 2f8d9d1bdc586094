// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"regexp"
	"strings"
	"sync"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// place is where a message is.
type place struct {
	chat int64
	id   int
}

// sighting is a message of the bot's that has a mark.
type sighting struct {
	place
	thread, replyTo int
	// warned is whether it says that it may be a repeat; late that it was edited before it was seen.
	warned, late bool
}

// post is a ticket's post in a chat of the staff's.
type post struct {
	place
	thread int
	ticket string
	mark   string // the first of its text
}

// watch reads the staff's chats as they grow.
type watch struct {
	telegram *telegram.Server
	mu       sync.Mutex
	next     map[int64]int // the next message of a supergroup; how many messages were read of a group
	posts    []post
	last     map[string]post // the last copy of a ticket's post
	marks    map[string][]sighting
	files    map[string][]sighting
	hints    map[string]int   // how often the staff was told that a ticket's author is not in Telegram, without a warning
	answers  map[place]string // what the bot answers to commands
	// lost is where the staff was told that its reply was not delivered: under the reply, or else of which ticket.
	lost    map[place]bool
	lostOf  map[string]bool
	strange []string // what the bot posted and nobody can explain
}

func newWatch(s *telegram.Server) *watch {
	return &watch{telegram: s, next: map[int64]int{group: 1, wishes: 1, grown: 1}, last: map[string]post{}, marks: map[string][]sighting{},
		files: map[string][]sighting{}, hints: map[string]int{}, answers: map[place]string{}, lost: map[place]bool{}, lostOf: map[string]bool{}}
}

var (
	anyMark    = regexp.MustCompile(`soak([SCAREB])(\d+)([az])`)
	ticketName = regexp.MustCompile(`ticket_(?:site|tg)_\d+`)
	texts      = ticket.Texts("en")
)

// scan reads what is new.
func (v *watch) scan() {
	v.mu.Lock()
	defer v.mu.Unlock()
	fresh := v.telegram.Messages(asked)[v.next[asked]:] // before grown; its numbers are those of private chats, too
	v.next[asked] += len(fresh)
	for _, m := range fresh {
		v.take(m)
	}
	for _, chat := range []int64{group, wishes, grown} {
		for {
			m, ok := v.telegram.Message(chat, v.next[chat])
			if !ok { // a message may be missing that tells of the chat alone
				if m, ok = v.telegram.Message(chat, v.next[chat]+1); !ok {
					break
				}
			}
			v.next[chat] = m.ID + 1
			v.take(m)
		}
	}
}

func (v *watch) take(m telegram.Message) {
	if !m.From.IsBot || m.Service != "" {
		return
	}
	s := sighting{place: place{m.ChatID, m.ID}, thread: m.ThreadID, replyTo: m.ReplyTo, late: m.Edits > 0, warned: warns(m.Text)}
	marks := anyMark.FindAllString(m.Text, -1)
	for _, found := range marks {
		v.marks[found] = append(v.marks[found], s)
	}
	name := ticketName.FindString(m.Text)
	switch {
	case m.Media != nil:
		v.files[m.Media.FileID] = append(v.files[m.Media.FileID], s)
	case len(m.Buttons) > 0 && len(marks) > 0 && name != "":
		p := post{place: s.place, thread: m.ThreadID, ticket: name, mark: marks[0]}
		v.posts, v.last[name] = append(v.posts, p), p
	case strings.Contains(m.Text, texts.Staff.AuthorUnreachable.With(ticket.Values{"Ticket": name})):
		if !s.warned {
			v.hints[name]++
		}
	case saysLost(m.Text, name):
		v.lost[place{m.ChatID, m.ReplyTo}], v.lostOf[name] = true, true
	case strings.Contains(m.Text, texts.Staff.FileRefused.With(ticket.Values{"Ticket": name})): // of a file that was repeated, perhaps
	case isAnswer(m.Text):
		v.answers[place{m.ChatID, m.ReplyTo}] = m.Text
	case len(marks) == 0 && !isPart(m.Text):
		v.strange = append(v.strange, m.Text)
	}
}

// isPart tells the middle of a long text, which has no marks, and a nickname that became an answer to the staff.
func isPart(text string) bool {
	return strings.Contains(text, "A long story") || strings.Contains(text, aNickname)
}

// saysLost tells whether a message says that a reply was not delivered to a ticket's author.
func saysLost(text, name string) bool {
	about := ticket.Values{"Ticket": name}
	return strings.Contains(text, texts.Staff.AuthorBlocked.With(about)) || strings.Contains(text, texts.Staff.ReplyRefused.With(about))
}

// banned and forgiven are how the answers to /ban and /unban begin.
var (
	banned, _, _   = strings.Cut(texts.Staff.Banned.With(ticket.Values{"ID": ""}), "ID")
	forgiven, _, _ = strings.Cut(texts.Staff.Unbanned.With(ticket.Values{"ID": ""}), "ID")
)

// isAnswer tells what the bot answers to a command.
func isAnswer(text string) bool {
	return strings.Contains(text, banned) || strings.Contains(text, forgiven) || strings.Contains(text, texts.Staff.AdminUnknown)
}

// answer is what the bot answered to a command; empty as long as it did not.
func (v *watch) answer(command place) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.answers[command]
}

// saidLost tells whether the staff was told that a reply did not arrive. What was said in a group that moved answers nothing.
func (v *watch) saidLost(r *reply) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lost[r.own] || r.own.chat == asked && v.lostOf[r.ticket]
}

// warns tells whether a message says that it may be a repeat.
func warns(text string) bool {
	return strings.Contains(text, texts.MaybeRepeat) || strings.Contains(text, texts.MaybeRepeatMessage)
}

func (v *watch) has(mark string) bool { return len(v.sightings(mark)) > 0 }

func (v *watch) sightings(mark string) []sighting {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.marks[mark]
}

func (v *watch) copies(file string) []sighting {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.files[file]
}

// pick returns the i-th post, counted around.
func (v *watch) pick(i int) (post, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.posts) == 0 {
		return post{}, false
	}
	return v.posts[i%len(v.posts)], true
}

// lastPost is the last copy of a ticket's post; the zero post where there is none.
func (v *watch) lastPost(name string) post {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[name]
}

func (v *watch) all() []post {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.posts
}
