// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"regexp"
	"strings"
	"sync"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// sighting is a message of the bot's in the group that has a mark.
type sighting struct {
	id, replyTo int
	// warned is whether it says that it may be a repeat; late that it was edited before it was seen.
	warned, late bool
}

// post is a ticket's post in the group.
type post struct {
	id     int
	ticket string
	mark   string // the first of its text
}

// watch reads the group as it grows.
type watch struct {
	telegram *telegram.Server
	mu       sync.Mutex
	next     int
	posts    []post
	last     map[string]int // the last copy of a ticket's post
	marks    map[string][]sighting
	files    map[string][]sighting
	hints    map[string]int // how often the staff was told that a ticket's author is not in Telegram, without a warning
	strange  []string       // what the bot posted and nobody can explain
}

func newWatch(s *telegram.Server) *watch {
	return &watch{telegram: s, next: 1, last: map[string]int{}, marks: map[string][]sighting{}, files: map[string][]sighting{}, hints: map[string]int{}}
}

var (
	anyMark    = regexp.MustCompile(`soak([SCARE])(\d+)([az])`)
	ticketName = regexp.MustCompile(`ticket_(?:site|tg)_\d+`)
	texts      = ticket.Texts("en")
)

// scan reads what is new.
func (v *watch) scan() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for {
		m, ok := v.telegram.Message(group, v.next)
		if !ok {
			return
		}
		v.next++
		if m.From.IsBot {
			v.take(m)
		}
	}
}

func (v *watch) take(m telegram.Message) {
	s := sighting{id: m.ID, replyTo: m.ReplyTo, late: m.Edits > 0, warned: warns(m.Text)}
	marks := anyMark.FindAllString(m.Text, -1)
	for _, found := range marks {
		v.marks[found] = append(v.marks[found], s)
	}
	name := ticketName.FindString(m.Text)
	switch {
	case m.Media != nil:
		v.files[m.Media.FileID] = append(v.files[m.Media.FileID], s)
	case len(m.Buttons) > 0 && len(marks) > 0 && name != "":
		v.posts, v.last[name] = append(v.posts, post{id: m.ID, ticket: name, mark: marks[0]}), m.ID
	case strings.Contains(m.Text, texts.Staff.AuthorUnreachable.With(ticket.Values{"Ticket": name})):
		if !s.warned {
			v.hints[name]++
		}
	case len(marks) == 0 && !isPart(m.Text):
		v.strange = append(v.strange, m.Text)
	}
}

// isPart tells the middle of a long text, which has no marks.
func isPart(text string) bool { return strings.Contains(text, "A long story") }

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

// lastPost is the last copy of a ticket's post; 0 where there is none.
func (v *watch) lastPost(name string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[name]
}

func (v *watch) all() []post {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.posts
}
