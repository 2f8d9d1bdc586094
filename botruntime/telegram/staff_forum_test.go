// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// inForum runs a conversation in a group where each ticket has a topic.
func inForum(t *testing.T, test func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog)) {
	t.Helper()
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		if err := w.AddChat(sim.Chat{ID: group, Title: "Feedback group", Forum: true}); err != nil {
			t.Fatal(err)
		}
		w.reconfigure(func(c *Config) { c.Topics = TopicsPerTicket })
		w.start()
		settle(time.Second)
		test(t, w, author, texts)
	})
}

func TestACommandIsAnsweredInTheTopicThatItWasGivenIn(t *testing.T) {
	inForum(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		asks := func(thread int, command string) {
			t.Helper()
			id := w.say(sim.Incoming{ChatID: group, By: boss, ThreadID: thread, Text: command})
			for _, m := range w.Messages(group) {
				if m.ReplyTo == id && m.ThreadID == thread {
					return
				}
			}
			t.Errorf("%s in topic %d is not answered there; the last message is, in topic %d, %q", command, thread, w.last(group).ThreadID, w.last(group).Text)
		}
		asks(post.ThreadID, "/ticket")
		asks(0, "/ticket 1")
		asks(0, "/close 1")
		if err := w.DeleteTopic(group, post.ThreadID); err != nil {
			t.Fatal(err)
		}
		asks(0, "/ticket 1")
		if n := len(w.Topics(group)); n != 0 {
			t.Errorf("%d topics, though nothing was to go there", n)
		}
		card := w.last(group) // who replies to it writes to the author, wherever it is
		w.reply(support, card.ID, "Fixed")
		if got := w.last(author.ID).Text; got != about(texts.Staff.Reply, "ticket_tg_1")+"\n\nFixed" {
			t.Errorf("the author reads %q", got)
		}
	})
}

func TestWhatIsForwardedIntoATopicStaysThere(t *testing.T) {
	inForum(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		writes := func(text, more string) {
			w.feed(fmt.Sprintf(`{"message":{"message_id":%d,"date":1,"from":{"id":1007,"first_name":"Boss"},"text":%q,"is_topic_message":true,`+
				`"message_thread_id":%d,"chat":{"id":%d,"type":"supergroup"}%s}}`, 900+len(text), text, post.ThreadID, group, more))
			settle(3 * time.Second)
		}
		for _, text := range []string{"My card is 1234", "/close does not work"} {
			w.quiet("a forward", func() {
				writes(text, `,"forward_origin":{"type":"hidden_user","sender_user_name":"Somebody else","date":1}`)
			}, author.ID, group)
		}
		if got := w.record("ticket_tg_1").Status; got != ticket.StatusNew {
			t.Errorf("the ticket is %s", got)
		}
		writes("Which device is it?", "")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nWhich device is it?") {
			t.Errorf("the author reads %q", got)
		}
	})
}
