// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// inBothLanguages runs a conversation between a staff and an author who both speak Russian, and both English, on every
// database.
func inBothLanguages(t *testing.T, test func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog)) {
	t.Helper()
	t.Parallel() // a database has its own time
	for _, language := range ticket.Languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			onEveryDatabase(t, func(t *testing.T, w *world) {
				w.reconfigure(func(c *Config) { c.Language = language })
				w.start()
				test(t, w, sim.User{ID: 2001, FirstName: "Author", Username: "author", LanguageCode: language}, ticket.Texts(language))
			})
		})
	}
}

// reconfigure changes what the bot and its store run by, before they start.
func (w *world) reconfigure(change func(*Config)) {
	w.t.Helper()
	w.halt()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Intake = Intake{Enabled: true, Limit: store.Limit{Uses: 5, Window: 10 * time.Minute}, MinLength: 10, MaxLength: 2000,
		Categories: []Category{{Name: "bug"}, {Name: "wish"}}}
	change(&w.cfg)
	w.open()
}

// say writes in a chat, and lets the bot work.
func (w *world) say(in sim.Incoming) int {
	w.t.Helper()
	id, err := w.Write(in)
	if err != nil {
		w.t.Fatal(err)
	}
	settle(3 * time.Second)
	return id
}

// reply is what a member of the staff writes in answer to a message of the group; 0 is none.
func (w *world) reply(by sim.User, to int, text string) int {
	w.t.Helper()
	return w.say(sim.Incoming{ChatID: group, By: by, ReplyTo: to, Text: text})
}

// feedback has a person write a ticket in a direct message, and returns its post.
func (w *world) feedback(by sim.User, text string) sim.Message {
	w.t.Helper()
	w.say(sim.Incoming{ChatID: by.ID, By: by, Text: "/feedback"})
	w.say(sim.Incoming{ChatID: by.ID, By: by, Text: "/skip"})
	question := w.last(by.ID)
	if _, err := w.Press(by.ID, question.ID, "cat_bug", by); err != nil {
		w.t.Fatal(err)
	}
	settle(3 * time.Second)
	w.say(sim.Incoming{ChatID: by.ID, By: by, Text: text})
	return w.lastOf(w.store.EffectiveChat(group), text)
}

// last is the last message of a chat.
func (w *world) last(chatID int64) sim.Message {
	w.t.Helper()
	messages := w.Messages(chatID)
	if len(messages) == 0 {
		w.t.Fatalf("nothing was written in chat %d\n%s", chatID, w.logs)
	}
	return messages[len(messages)-1]
}

// message is one message of the group, as it is now.
func (w *world) message(id int) sim.Message {
	w.t.Helper()
	m, ok := w.Message(group, id)
	if !ok {
		w.t.Fatalf("message %d is gone", id)
	}
	return m
}

// quiet checks that no message was written while something was done, in any of the chats.
func (w *world) quiet(what string, do func(), chats ...int64) {
	w.t.Helper()
	count := func() (n int) {
		for _, id := range chats {
			n += len(w.Messages(id))
		}
		return n
	}
	before := count()
	do()
	settle(3 * time.Second)
	if n := count() - before; n != 0 {
		w.t.Errorf("%s: %d messages", what, n)
	}
}

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

// lastOf is the last message of a chat that has a text in it.
func (w *world) lastOf(chatID int64, text string) sim.Message {
	w.t.Helper()
	for _, m := range slices.Backward(w.Messages(chatID)) {
		if strings.Contains(m.Text, text) {
			return m
		}
	}
	w.t.Fatalf("nobody said %q in chat %d\n%s", text, chatID, w.logs)
	return sim.Message{}
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

func TestWhatIsNoReplyStaysAmongTheStaff(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		chat := w.say(sim.Incoming{ChatID: group, By: colleague, Text: "Who has a look?"})
		w.quiet("a note", func() { w.reply(support, post.ID, "// same as on Tuesday") }, author.ID)
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

// admitFrom puts a bug of the site's into the store, whose author has a Telegram id.
func (w *world) admitFrom(telegramID int64, message string) {
	w.admitTicket(telegramID, "bug", message)
}

func (w *world) admitTicket(telegramID int64, category, message string) {
	w.t.Helper()
	w.seq++
	id := fmt.Sprint("request-", w.seq)
	_, err := w.store.Admit(context.Background(), []store.Request{{ID: id, Nonce: id, Signature: wire.Signature{KeyID: "key"},
		ReadAt: time.Now(), NonceUntil: time.Now().Add(time.Minute), Ticket: ticket.Ticket{Source: ticket.SourceSite,
			FeedbackID: w.seq, TelegramID: telegramID, Category: category, Message: message}}})
	if err != nil {
		w.t.Fatal(err)
	}
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
