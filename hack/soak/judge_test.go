// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"slices"
	"strings"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// judge compares what was done with what came of it.
type judge struct {
	w    *world
	site *siteFeedback
	book *ledger
	seen *watch
	// tolerable is how often anything in a chat may have come again: once a kill, and once for each lost answer of Telegram's;
	// tolerableTopics is how many topics may be empty.
	tolerable, tolerableTopics int

	repeatedPosts, repeatedMessages, repeatedCopies int
	unclear                                         int // of what was done to one of two copies of a message
	byChat                                          map[int64]int
}

// missing tells what has not come yet, the first of it in words.
func (j *judge) missing() (n int, first string) {
	miss := func(format string, args ...any) {
		if n++; first == "" {
			first = fmt.Sprintf(format, args...)
		}
	}
	if open := j.site.unanswered(); open > 0 {
		miss("%d results", open)
	}
	j.book.mu.Lock()
	defer j.book.mu.Unlock()
	for _, c := range j.book.conversations {
		if !j.seen.has(mark('C', c.number, 'z')) {
			miss("the post of conversation %d", c.number)
		}
		for _, f := range c.files {
			if len(j.seen.copies(f)) == 0 {
				miss("file %s of conversation %d", f, c.number)
			}
		}
		if m, _ := j.w.telegram.Message(c.who, c.question); len(m.Buttons) > 0 {
			miss("the edit of the question of conversation %d", c.number)
		}
	}
	for _, a := range j.book.additions {
		if !a.refused && !j.seen.has(mark(a.kind, a.number, 'z')) {
			miss("addition %d", a.number)
		}
	}
	private := j.private()
	for _, r := range j.book.replies {
		if r.to != 0 && len(private[r.to][mark('R', r.number, 'z')]) == 0 && !j.seen.saidLost(r) {
			miss("reply %d to %s", r.number, r.ticket)
		}
		for _, f := range r.files {
			if r.to != 0 && len(private[r.to][f]) == 0 && !j.seen.saidLost(r) {
				miss("file %s of reply %d to %s", f, r.number, r.ticket)
			}
		}
	}
	for name, h := range j.book.histories {
		if want := h.now().status; !h.vague && !j.shows(name, want) {
			miss("the status of %s: it should be %s", name, want)
		}
	}
	return n, first
}

// private are the marks and the files in the people's chats.
func (j *judge) private() map[int64]map[string][]sighting {
	all := map[int64]map[string][]sighting{}
	for _, chat := range j.w.telegram.Chats() {
		if chat.Type != telegram.Private {
			continue
		}
		all[chat.ID] = map[string][]sighting{}
		for _, m := range j.w.telegram.Messages(chat.ID) {
			if !m.From.IsBot {
				continue
			}
			found := anyMark.FindAllString(m.Text, -1)
			if m.Media != nil {
				found = append(found, m.Media.FileID)
			}
			for _, what := range found {
				all[chat.ID][what] = append(all[chat.ID][what], sighting{place: place{chat.ID, m.ID}, replyTo: m.ReplyTo, warned: warns(m.Text), late: m.Media != nil || m.Edits > 0})
			}
		}
	}
	return all
}

// shows tells whether the last copy of a ticket's post shows a status, and has its buttons. What is history no bot can change.
func (j *judge) shows(name string, status ticket.Status) bool {
	p := j.seen.lastPost(name)
	if j.w.isHistory(p.chat) {
		return true
	}
	m, _ := j.w.telegram.Message(p.chat, p.id)
	return strings.HasSuffix(strings.TrimSpace(m.Text), "#"+string(status)) && len(m.Buttons) == 2
}

// all judges what is there in the end.
func (j *judge) all() {
	j.byChat = map[int64]int{}
	j.judgeFeedback()
	j.judgeConversations()
	j.judgeReplies()
	j.judgeTopics()
	j.judgeBans()
	for chat, n := range j.byChat {
		if n > j.tolerable {
			j.w.fail("%d repeats in chat %d, where %d kills and lost answers can explain no more than as many", n, chat, j.tolerable)
		}
	}
	for _, text := range j.seen.strange {
		j.w.fail("nobody can explain a message of the bot's in the group:\n%s", text)
	}
	for name, n := range j.seen.hints {
		if n > 1 {
			j.w.fail("the staff was told %d times that the author of %s is not in Telegram", n, name)
		}
	}
	if pending := j.w.telegram.Stats().PendingUpdates; pending > 0 {
		j.w.fail("%d updates were never confirmed", pending)
	}
}

// repeats counts the copies of a message beyond the first, and wants them to say what they are.
func (j *judge) repeats(what string, copies []sighting, counter *int) {
	unmarked := 0
	for i, c := range copies {
		if i > 0 {
			*counter++
			j.byChat[c.chat]++
		}
		if !c.warned && !c.late {
			unmarked++
		}
	}
	if unmarked > 1 {
		j.w.fail("%s came %d times, %d of them without a word", what, len(copies), unmarked)
	}
}

func (j *judge) judgeFeedback() {
	for _, f := range j.site.all {
		sent, _ := j.w.site.Sent(f.id)
		what, copies := fmt.Sprintf("feedback %d", f.number), j.seen.sightings(f.parts[0])
		if len(copies) == 0 || !j.seen.has(f.parts[1]) {
			j.w.fail("%s is lost: it is not in the group, or not to its end", what)
			continue
		}
		j.repeats(what, copies, &j.repeatedPosts)
		switch r := sent.Result; {
		case r == nil:
			j.w.fail("the result of %s is lost (%d frames were sent)", what, sent.Frames)
		case !r.OK || r.TicketID != fmt.Sprintf("ticket_site_%d", f.number):
			j.w.fail("the result of %s: %+v", what, *r)
		case !slices.ContainsFunc(copies, func(s sighting) bool { return int64(s.id) == r.MessageID }):
			j.w.fail("the result of %s names message %d, but it is %+v", what, r.MessageID, copies)
		}
	}
	if s := j.w.site.Stats(); s.Missigned+s.Malformed+s.Unknown+s.Failed > 0 {
		j.w.fail("the site got %d results with a wrong signature, %d that cannot be read, %d of nothing that it sent and %d that say no",
			s.Missigned, s.Malformed, s.Unknown, s.Failed)
	}
}

func (j *judge) judgeConversations() {
	names := map[string]int{}
	for _, c := range j.book.conversations {
		what, copies := fmt.Sprintf("the ticket of conversation %d (%s)", c.number, c.name), j.seen.sightings(mark('C', c.number, 'a'))
		if len(copies) == 0 {
			j.w.fail("%s is lost", what)
			continue
		}
		j.repeats(what, copies, &j.repeatedPosts)
		last := copies[len(copies)-1]
		m, _ := j.w.telegram.Message(last.chat, last.id)
		if got := ticketName.FindString(m.Text); c.name == "" || got != c.name {
			j.w.fail("%s is called %q in the group", what, got)
		}
		if names[c.name]++; names[c.name] > 1 {
			j.w.fail("two tickets are called %s", c.name)
		}
		if !strings.Contains(m.Text, "#"+c.category) || c.nickname != "" && !strings.Contains(m.Text, c.nickname) || c.nickname == "" && strings.Contains(m.Text, texts.Nickname) {
			j.w.fail("%s should be about %s, by %q:\n%s", what, c.category, c.nickname, m.Text)
		}
		for _, f := range c.files {
			files := j.seen.copies(f)
			if len(files) == 0 {
				j.w.fail("file %s of %s is lost", f, what)
				continue
			}
			j.countCopies(files)
			if !slices.ContainsFunc(files, func(s sighting) bool { return j.isUnder(s, copies) }) {
				j.w.fail("file %s is not under %s, but under message %d of chat %d", f, what, files[0].replyTo, files[0].chat)
			}
		}
	}
}

// countCopies counts the copies of a file beyond the first, which say nothing of themselves.
func (j *judge) countCopies(files []sighting) {
	for _, f := range files[1:] {
		j.repeatedCopies++
		j.byChat[f.chat]++
	}
}

// isUnder tells whether a file is under a post; in a supergroup it is under none that stayed behind in the group.
func (j *judge) isUnder(file sighting, posts []sighting) bool {
	return slices.ContainsFunc(posts, func(p sighting) bool {
		return p.chat == file.chat && p.id == file.replyTo && p.thread == file.thread || p.chat == asked && file.chat == grown
	})
}

func (j *judge) judgeReplies() {
	private := j.private()
	for _, r := range j.book.replies {
		copies := private[r.to][mark('R', r.number, 'a')]
		switch {
		case r.to == 0:
			for chat, marks := range private {
				if len(marks[mark('R', r.number, 'a')]) > 0 {
					j.w.fail("reply %d to %s came to %d, who has nothing to do with it", r.number, r.ticket, chat)
				}
			}
		case len(copies) == 0 && !j.seen.saidLost(r):
			j.w.fail("reply %d to %s is lost", r.number, r.ticket)
		default:
			j.repeats(fmt.Sprintf("reply %d to %s", r.number, r.ticket), copies, &j.repeatedMessages)
			j.judgeFiles(r, private[r.to])
		}
	}
	for _, a := range j.book.additions {
		copies := j.seen.sightings(mark(a.kind, a.number, 'a'))
		last := j.isLastOfPerson(private, a)
		switch {
		case len(copies) == 0 && last:
			j.w.fail("addition %d to %s is lost", a.number, a.ticket)
		case !last:
			j.unclear++
		default:
			j.repeats(fmt.Sprintf("addition %d to %s", a.number, a.ticket), copies, &j.repeatedMessages)
			m, _ := j.w.telegram.Message(copies[0].chat, copies[0].id)
			if got := ticketName.FindString(m.Text); got != a.ticket || !j.inItsTopic(copies[0], a.ticket) {
				j.w.fail("addition %d is one to %s, and not to %s, in topic %d", a.number, got, a.ticket, m.ThreadID)
			}
		}
	}
	for name, h := range j.book.histories {
		if !h.vague && !j.shows(name, h.now().status) {
			j.w.fail("the status of %s is lost: it should be %s", name, h.now().status)
		}
	}
}

// judgeFiles wants the files of a reply that arrived; the first of them has its words.
func (j *judge) judgeFiles(r *reply, arrived map[string][]sighting) {
	for i, f := range r.files {
		switch {
		case len(arrived[f]) == 0 && !j.seen.saidLost(r):
			j.w.fail("file %s of reply %d to %s is lost", f, r.number, r.ticket)
		case len(arrived[f]) > 0 && i > 0:
			j.countCopies(arrived[f])
		}
	}
}

// isLastOfPerson tells whether what a person replied to is the last copy of what the bot said.
func (j *judge) isLastOfPerson(private map[int64]map[string][]sighting, a *addition) bool {
	if a.kind == 'E' {
		return true // it is the person's own message
	}
	for _, copies := range private[a.who] {
		for _, c := range copies {
			if c.id == a.answered {
				return copies[len(copies)-1].id == a.answered
			}
		}
	}
	// It is a confirmation, which names the ticket and says so only once.
	last := 0
	for _, m := range j.w.telegram.Messages(a.who) {
		if m.From.IsBot && strings.Contains(m.Text, "✅") && ticketName.FindString(m.Text) == a.ticket {
			last = m.ID
		}
	}
	return last == a.answered
}
