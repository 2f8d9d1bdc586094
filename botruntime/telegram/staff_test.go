// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

func TestStaffAndAuthorTalk(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")

		answer := w.reply(support, post.ID, "Fixed, please look")
		got := w.last(author.ID)
		if want := about(texts.Staff.Reply, "ticket_tg_1") + "\n\nFixed, please look"; got.Text != want {
			t.Errorf("the author reads %q, want %q", got.Text, want)
		}
		if reaction := w.message(answer).Reaction; reaction != "👌" {
			t.Errorf("the reply has the reaction %q", reaction)
		}
		if text := w.message(post.ID).Text; !strings.Contains(text, texts.Status+": "+texts.Statuses[ticket.StatusReplied]+" — @support_desk, ") ||
			!strings.HasSuffix(text, "#bug #replied") {
			t.Errorf("the post is\n%s", text)
		}

		question := w.say(sim.Incoming{ChatID: author.ID, By: author, ReplyTo: got.ID, Text: "Where exactly?"})
		under := w.lastOf(group, "Where exactly?")
		if under.ReplyTo != answer {
			t.Errorf("the author's answer replies to message %d, want the staff's reply %d", under.ReplyTo, answer)
		}

		w.reply(colleague, under.ID, "In the menu")
		if got := w.last(author.ID); !strings.HasSuffix(got.Text, "\n\nIn the menu") || got.ReplyTo != question {
			t.Errorf("the author reads %q in reply to message %d, want it in reply to %d", got.Text, got.ReplyTo, question)
		}
		if by := w.record("ticket_tg_1").StatusBy; by != "Colleague" {
			t.Errorf("the ticket was answered by %q", by)
		}
	})
}

func TestStaffSendsAttachments(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		header := about(texts.Staff.Reply, "ticket_tg_1")
		with := func(m sim.Media, album, text string) {
			w.say(sim.Incoming{ChatID: group, By: support, ReplyTo: post.ID, Text: text, Media: &m, AlbumID: album})
		}
		before := len(w.Messages(author.ID))
		with(sim.Media{Kind: sim.Photo, FileID: "photo"}, "", "like this")
		with(sim.Media{Kind: sim.Document, FileID: "file"}, "", "")
		with(sim.Media{Kind: sim.VideoNote, FileID: "note"}, "", "")
		with(sim.Media{Kind: sim.Photo, FileID: "first"}, "77", "two of them")
		with(sim.Media{Kind: sim.Photo, FileID: "second"}, "77", "")
		type said struct{ file, text string }
		want := []said{{"photo", header + "\n\nlike this"}, {"file", header}, {"", header}, {"note", ""},
			{"first", header + "\n\ntwo of them"}, {"second", ""}}
		var got []said
		for _, m := range w.Messages(author.ID)[before:] {
			s := said{text: m.Text}
			if m.Media != nil {
				s.file = m.Media.FileID
			}
			got = append(got, s)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the author got %q, want %q", got, want)
		}
	})
}

func TestAnEditedReplyIsEditedForItsAuthor(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		answer := w.reply(support, post.ID, "Fixxed")
		before := len(w.Messages(author.ID))
		if err := w.Edit(group, answer, "Fixed"); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		if got, want := w.last(author.ID).Text, about(texts.Staff.Reply, "ticket_tg_1")+"\n\nFixed"; got != want || len(w.Messages(author.ID)) != before {
			t.Errorf("the author reads %q, want %q, and %d messages, want %d", got, want, len(w.Messages(author.ID)), before)
		}
	})
}

func TestAReplyMayBeginLikeACommand(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "How do I get back to my base?")
		w.reply(support, post.ID, "/spawn takes you home")
		if got := w.last(author.ID); !strings.Contains(got.Text, "/spawn takes you home") {
			t.Errorf("the author reads %q", got.Text)
		}
	})
}

func TestWhatIsNoReplyStaysAmongTheStaff(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		chat := w.say(sim.Incoming{ChatID: group, By: colleague, Text: "Who has a look?"})
		w.quiet("a note", func() { w.reply(support, post.ID, "// same as on Tuesday") }, author.ID)
		w.quiet("an album as a note", func() {
			for _, words := range []string{"// two like this", ""} {
				w.say(sim.Incoming{ChatID: group, By: support, ReplyTo: post.ID, Text: words, Media: &sim.Media{Kind: sim.Photo}, AlbumID: "5"})
			}
		}, author.ID)
		w.quiet("a talk among the staff", func() { w.reply(support, chat, "I do") }, author.ID)
		w.quiet("another bot's command", func() { w.reply(support, post.ID, "/warn@another_bot spam") }, author.ID)
		if got := w.record("ticket_tg_1").Status; got != ticket.StatusNew {
			t.Errorf("the ticket is %s", got)
		}
	})
}

func TestAClosedTicketStaysClosedWhenItIsAnswered(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		if _, err := w.Press(group, post.ID, ticket.CallbackData("ticket_tg_1", ticket.StatusClosed), support); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		w.reply(support, post.ID, "And thank you")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "And thank you") {
			t.Errorf("the author reads %q", got)
		}
		if text := w.message(post.ID).Text; !strings.HasSuffix(text, "#bug #closed") {
			t.Errorf("the post is\n%s", text)
		}
	})
}

func TestAnAuthorOfTheSiteIsReachedOnceTheyTalkedToTheBot(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		w.admitFrom(author.ID, "Cannot log in")
		settle(3 * time.Second)
		post := w.last(group)
		w.reply(support, post.ID, "Try again, please")
		if got, want := w.last(group).Text, about(texts.Staff.AuthorUnreachable, "ticket_site_1")+" "+texts.Staff.AnswerOnSite; got != want {
			t.Errorf("the staff reads %q, want %q", got, want)
		}
		w.quiet("once a ticket", func() { w.reply(support, post.ID, "Does it work now?") }, author.ID)
		if got := w.lastOf(group, "Does it work now?"); w.last(group).ID != got.ID {
			t.Errorf("the staff was told again: %q", w.last(group).Text)
		}
		if got := w.record("ticket_site_1").Status; got != ticket.StatusNew {
			t.Errorf("the ticket is %s, though nobody was answered", got)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/start"})
		w.reply(support, post.ID, "Hello!")
		if got, want := w.last(author.ID).Text, about(texts.Staff.Reply, "ticket_site_1")+"\n\nHello!"; got != want {
			t.Errorf("the author reads %q, want %q", got, want)
		}
	})
}

func TestAReplyToWhoBlockedTheBotIsSaidToBeLost(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		if err := w.Block(author.ID); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		w.follows(func(tx store.Tx) error { // Telegram does not always tell of it
			p, err := tx.Person(author.ID)
			p.Blocked = false
			return errors.Join(err, tx.SavePerson(p))
		})
		first := w.reply(support, post.ID, "Fixed")
		if got, want := w.last(group), about(texts.Staff.ReplyRefused, "ticket_tg_1"); got.Text != want || got.ReplyTo != first {
			t.Errorf("the staff reads %q in reply to %d, want %q in reply to %d", got.Text, got.ReplyTo, want, first)
		}
		second := w.reply(support, post.ID, "Do you hear me?")
		if got, want := w.last(group), about(texts.Staff.AuthorBlocked, "ticket_tg_1"); got.Text != want || got.ReplyTo != second {
			t.Errorf("the staff reads %q in reply to %d, want %q in reply to %d", got.Text, got.ReplyTo, want, second)
		}
		if err := w.Unblock(author.ID); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		w.reply(support, post.ID, "Welcome back")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "Welcome back") {
			t.Errorf("the author reads %q", got)
		}
	})
}

func TestAnAnonymousAdministratorStaysAnonymous(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		if err := w.SetMember(group, colleague, sim.Administrator, true); err != nil {
			t.Fatal(err)
		}
		post := w.feedback(author, "The map does not open")
		w.say(sim.Incoming{ChatID: group, By: colleague, Anonymous: true, ReplyTo: post.ID, Text: "Fixed"})
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "Fixed") {
			t.Errorf("the author reads %q", got)
		}
		if by := w.record("ticket_tg_1").StatusBy; by != "Feedback group" {
			t.Errorf("the ticket was answered by %q", by)
		}
	})
}

func TestRepliesArriveOnceOverRestarts(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		for i := range 20 {
			if _, err := w.Reply(group, post.ID, "answer "+string(rune('A'+i)), support); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 {
				w.restart()
			}
		}
		settle(time.Minute)
		var got []string
		for _, m := range w.Messages(author.ID) {
			if _, text, found := strings.Cut(m.Text, "\n\nanswer "); found {
				got = append(got, text)
			}
		}
		if strings.Join(got, "") != "ABCDEFGHIJKLMNOPQRST" {
			t.Errorf("the author got %v", got)
		}
	})
}

func TestATicketsOwnTopicIsATalkWithItsAuthor(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		if err := w.AddChat(sim.Chat{ID: group, Title: "Feedback group", Forum: true}); err != nil {
			t.Fatal(err)
		}
		w.reconfigure(func(c *Config) { c.Topics = TopicsPerTicket })
		w.start()
		post := w.feedback(author, "The map does not open")
		if post.ThreadID == 0 {
			t.Fatal("the ticket has no topic of its own")
		}
		here := func(text string) {
			w.say(sim.Incoming{ChatID: group, By: support, ThreadID: post.ThreadID, Text: text})
		}
		here("Which device is it?")
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nWhich device is it?") {
			t.Errorf("the author reads %q", got)
		}
		w.quiet("a note in the topic", func() { here("// an old phone, I guess") }, author.ID)
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "A tablet"})
		if got := w.last(group); got.ThreadID != post.ThreadID || !strings.Contains(got.Text, "A tablet") {
			t.Errorf("the author's answer is %q in topic %d", got.Text, got.ThreadID)
		}
		pressed := func(status ticket.Status, closed bool) {
			t.Helper()
			if _, err := w.Press(group, post.ID, ticket.CallbackData("ticket_tg_1", status), support); err != nil {
				t.Fatal(err)
			}
			settle(3 * time.Second)
			for _, topic := range w.Topics(group) {
				if topic.ThreadID == post.ThreadID && topic.Closed != closed {
					t.Errorf("%s: the topic is closed: %v", status, topic.Closed)
				}
			}
		}
		pressed(ticket.StatusClosed, true)
		pressed(ticket.StatusInProgress, false)
	})
}

func TestTheStaffGoesOnInTheSupergroupThatItsGroupBecame(t *testing.T) {
	withBoss(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		w.feedback(author, "Before the group grew")
		if err := w.Migrate(group, supergroup); err != nil {
			t.Fatal(err)
		}
		if err := w.SetMember(supergroup, boss, sim.Administrator, false); err != nil {
			t.Fatal(err)
		}
		post := w.feedback(author, "After the group grew")
		w.say(sim.Incoming{ChatID: supergroup, By: support, ReplyTo: post.ID, Text: "Welcome to the new place"})
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nWelcome to the new place") {
			t.Errorf("the author reads %q", got)
		}
		if got, _ := w.Message(supergroup, post.ID); !strings.HasSuffix(got.Text, "#bug #replied") {
			t.Errorf("the post is\n%s", got.Text)
		}
		edits := w.Stats().Edited
		w.say(sim.Incoming{ChatID: supergroup, By: boss, Text: "/close tg_1"})
		if got := w.last(supergroup).Text; got != about(texts.Staff.Closed, "ticket_tg_1") {
			t.Errorf("/close is answered with %q", got)
		}
		// Its post stayed in the group that was: by its number another message might be meant here.
		if n := w.Stats().Edited - edits; n != 0 {
			t.Errorf("%d edits", n)
		}
	})
}

func TestWhatCannotBePassedOnIsSaidToBeSo(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "Where are you?")
		w.quiet("to the author", func() {
			w.feed(fmt.Sprintf(`{"message":{"message_id":900,"date":1,"from":{"id":5,"first_name":"Ann"},"location":{"latitude":1,"longitude":2},`+
				`"chat":{"id":%d,"type":"supergroup"},"reply_to_message":{"message_id":%d,"chat":{"id":%d}}}}`, group, post.ID, group))
		}, author.ID)
		if got := w.last(group).Text; got != texts.Staff.Unsupported {
			t.Errorf("the staff reads %q", got)
		}
	})
}
