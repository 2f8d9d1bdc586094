// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"strings"
	"testing"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// boss is the administrator of the staff's chats.
var boss = telegram.User{ID: 1007, FirstName: "Boss", Username: "the_boss", LanguageCode: "en"}

const inOffice = `    topics: %s
    routes: [{category: wish, chatID: "%d"}, {category: question, chatID: "%d"}]
`

// newOffice is a world whose staff has three chats: a forum, a supergroup without topics, and a group that will become one. The seed
// says how tickets are put into topics.
func newOffice(t *testing.T, dsn string, seed uint64) *world {
	t.Helper()
	topics := []string{"PerTicket", "PerCategory"}[seed%2]
	w := newWorld(t, dsn, "    language: en\n", "    language: en\n"+fmt.Sprintf(inOffice, topics, wishes, asked))
	w.topics = topics
	for _, c := range []telegram.Chat{{ID: group, Title: "Soak", Forum: true}, {ID: wishes, Title: "Soak: wishes"}, {ID: asked, Title: "Soak: questions"}} {
		must(t, w.telegram.AddChat(c))
		must(t, w.telegram.SetMember(c.ID, boss, telegram.Administrator, false))
	}
	return w
}

// migrate makes a supergroup of the group for questions, between two things that the staff does.
func (w *world) migrate(book *ledger) {
	book.mu.Lock()
	defer book.mu.Unlock()
	must(w.t, w.telegram.Migrate(asked, grown))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved = true
}

// isHistory tells a chat that nobody writes in any more.
func (w *world) isHistory(chat int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.moved && chat == asked
}

// judgeTopics wants every post of the forum in the topic that it belongs to, what follows from a ticket in that of its post, and
// no topics that are not needed, but for those that a kill or a lost answer left behind. A ticket's own topic is closed with it.
func (j *judge) judgeTopics() {
	if j.w.topics == "" {
		return
	}
	threads, used := map[string]map[int]bool{}, map[int]string{}
	for _, p := range j.seen.all() {
		if p.chat != group {
			continue
		}
		key := p.ticket
		if m, _ := j.w.telegram.Message(group, p.id); j.w.topics == "PerCategory" {
			key = categoryOf(m.Text)
		}
		if threads[key] == nil {
			threads[key] = map[int]bool{}
		}
		threads[key][p.thread] = true
		if other, taken := used[p.thread]; p.thread == 0 || taken && other != key || len(threads[key]) > 1 {
			j.w.fail("%s (%s) is in topic %d with %s, one of %d topics", p.ticket, key, p.thread, other, len(threads[key]))
		}
		if _, taken := used[p.thread]; !taken && p.thread != 0 {
			used[p.thread] = key
		}
	}
	all := j.w.telegram.Topics(group)
	if extra := len(all) - len(used); extra > j.tolerableTopics {
		j.w.fail("%d topics are empty, where %d kills and lost answers can explain no more than as many", extra, j.tolerableTopics)
	}
	for _, topic := range all {
		name := ticketName.FindString(topic.Name)
		if j.w.topics != "PerTicket" || used[topic.ThreadID] != name || j.book.histories[name] != nil && j.book.histories[name].vague {
			continue
		}
		if want := j.book.statusOf(name) == ticket.StatusClosed; topic.Closed != want {
			j.w.fail("the topic of %s, which is %s: closed is %v", name, j.book.statusOf(name), topic.Closed)
		}
	}
}

// categoryOf is the first hashtag of a post's last line.
func categoryOf(text string) string {
	text = strings.TrimSpace(text)
	return strings.Fields(text[strings.LastIndexByte(text, '\n')+1:])[0]
}

// inItsTopic tells whether something that follows from a ticket is where the ticket's post is, as far as that has topics.
func (j *judge) inItsTopic(s sighting, name string) bool {
	return s.chat != group || j.w.topics == "" || s.thread == j.seen.lastPost(name).thread
}
