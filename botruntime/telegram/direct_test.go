// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/store"
	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

var author = sim.User{ID: 2001, FirstName: "Author", Username: "author", LanguageCode: "en"}

// talking runs a test with an author who writes in direct messages.
func talking(t *testing.T, change func(*Config), test func(t *testing.T, w *world)) {
	t.Helper()
	inBubble(t, sim.Limits{}, func(t *testing.T, w *world) {
		w.reconfigure(func(c *Config) {
			c.Language = "en"
			if change != nil {
				change(c)
			}
		})
		w.start()
		settle(time.Second)
		test(t, w)
	})
}

// siteEvents are the events that are kept for the site.
func (w *world) siteEvents() (out []string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.base.Dir, "feedbackbridge.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT kind, ticket, feedback_id, actor, status, text FROM events ORDER BY seq`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, actor, status, text string
		var feedbackID int64
		if err := rows.Scan(&kind, &name, &feedbackID, &actor, &status, &text); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(fmt.Sprint(kind, " ", name, " ", feedbackID, " ", actor, " ", status, " ", text)))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestTheSiteWillLearnOfIt(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		post := w.feedback(author, "The map does not open")
		w.reply(support, post.ID, "Which map?")
		id := w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "The one of the city"})
		if err := w.Edit(author.ID, id, "The one of the town"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		want := []string{
			"created ticket_tg_1 0 @author  The map does not open",
			"reply ticket_tg_1 0 @support_desk  Which map?",
			"status ticket_tg_1 0 @support_desk replied",
			"message ticket_tg_1 0 @author  The one of the city",
			"message ticket_tg_1 0 @author  The one of the town",
		}
		if diff := cmp.Diff(want, w.siteEvents()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Who writes faster than people do is not listened to, and told so: nothing that was meant for the staff is lost unnoticed.
func TestWhoWritesFasterThanPeopleDo(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		hurry := func(n int) (told int) {
			before := len(w.Messages(author.ID))
			for range n {
				if _, err := w.Say(author.ID, "hello", author); err != nil {
					t.Fatal(err)
				}
			}
			settle(time.Minute - time.Second)
			for _, m := range w.Messages(author.ID)[before:] {
				if strings.Contains(m.Text, "are not read. Send them again in 1 minute.") {
					told++
				}
			}
			if got, want := len(w.Messages(author.ID))-before, n+min(n, talkLimit.Uses)+told; got != want {
				t.Errorf("%d messages with the answers to them, want %d", got, want)
			}
			return told
		}
		if told := hurry(talkLimit.Uses); told != 0 {
			t.Errorf("%d messages a minute: told %d times", talkLimit.Uses, told)
		}
		settle(time.Minute)
		for range 2 {
			if told := hurry(100); told != 1 {
				t.Errorf("100 messages a minute: told %d times, want once", told)
			}
			settle(time.Minute)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/help"})
		if got := w.last(author.ID).Text; got != ticket.Texts("en").Direct.Help {
			t.Errorf("a minute later the answer is %q", got)
		}
		post := w.feedback(author, "The map does not open")
		w.reply(support, post.ID, "/ban")
		w.quiet("100 messages of somebody banned, who knows it", func() {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "hello"})
		})
	})
}

func TestAdditionsAreLimited(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		w.feedback(author, "The map does not open")
		before := len(w.Messages(group))
		for i := range moreLimit.Uses + 2 {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: fmt.Sprint("and ", i)})
		}
		if n := len(w.Messages(group)) - before; n != moreLimit.Uses {
			t.Errorf("%d additions were passed on, want %d", n, moreLimit.Uses)
		}
		if got := w.last(author.ID).Text; !strings.Contains(got, "You can add more in 9 minutes, at 03:1") {
			t.Errorf("the last answer is %q", got)
		}
	})
}

// A spec that is generous with feedback is so with what is added to it.
func TestMoreIsAddedWhereMoreIsWritten(t *testing.T) {
	talking(t, func(c *Config) { c.Intake.Limit = store.Limit{Uses: 10, Window: 10 * time.Minute} }, func(t *testing.T, w *world) {
		w.feedback(author, "The map does not open")
		before := len(w.Messages(group))
		for i := range 60 {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: fmt.Sprint("and ", i)})
			settle(5 * time.Second)
		}
		if n := len(w.Messages(group)) - before; n != 60 {
			t.Errorf("%d additions were passed on, want 60", n)
		}
	})
}

// The limit of feedback is none of what the staff asks for.
func TestWhoMayWriteOnceADayMayAnswerTheStaff(t *testing.T) {
	talking(t, func(c *Config) { c.Intake.Limit = store.Limit{Uses: 1, Window: 24 * time.Hour} }, func(t *testing.T, w *world) {
		post := w.feedback(author, "The map does not open")
		for i := range 10 {
			w.reply(support, post.ID, fmt.Sprint("And what of this? ", i))
			settle(5 * time.Minute)
			answer := fmt.Sprint("It is so: ", i)
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: answer})
			if got := w.last(group).Text; !strings.HasSuffix(got, answer) {
				t.Fatalf("answer %d did not arrive; the author was told %q", i, w.last(author.ID).Text)
			}
		}
	})
}

func TestStatusListsTheNewest(t *testing.T) {
	talking(t, func(c *Config) { c.Intake.Limit.Uses = 100 }, func(t *testing.T, w *world) {
		w.admitTicket(author.ID, "wish", "from the site") // the site says that it is this person's
		settle(time.Second)
		w.admitTicket(author.ID+1, "wish", "another's")
		for range 11 {
			settle(time.Minute)
			w.feedback(author, "The map does not open")
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/status"})
		lines := strings.Split(w.last(author.ID).Text, "\n")
		if len(lines) != 14 || !strings.HasPrefix(lines[2], "ticket_tg_11: Bug, ") || !strings.HasSuffix(lines[2], ": New") ||
			lines[13] != "…and 2 more" {
			t.Errorf("the list is\n%s", strings.Join(lines, "\n"))
		}
		other := sim.User{ID: author.ID + 1, FirstName: "Other", LanguageCode: "en"}
		w.say(sim.Incoming{ChatID: other.ID, By: other, Text: "/status"})
		if got := w.last(other.ID).Text; !strings.Contains(got, "ticket_site_2: Wish") || strings.Contains(got, "ticket_tg") {
			t.Errorf("another's list is\n%s", got)
		}
	})
}

// What is attached follows the post wherever that is, and however long it takes there.
func TestAttachmentsFollowTheirTicket(t *testing.T) {
	route := func(c *Config) { c.Routes = []Route{{Category: "bug", ChatID: anotherGroup}} }
	talking(t, route, func(t *testing.T, w *world) {
		// The chat is not there yet: posts wait.
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/skip"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "bug"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "Look at this picture", Media: &sim.Media{Kind: sim.Photo}})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "And hear this", Media: &sim.Media{Kind: sim.Voice}})
		w.restart()
		if err := w.AddChat(sim.Chat{ID: anotherGroup, Title: "Bugs"}); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Minute)
		messages := w.Messages(anotherGroup)
		if len(messages) != 3 || messages[1].Media == nil || messages[2].Media == nil || messages[1].Media.Kind != sim.Photo {
			t.Fatalf("the chat has %+v", messages)
		}
		for _, m := range messages[1:] {
			if m.ReplyTo != messages[0].ID {
				t.Errorf("%q answers %d, want the post %d", m.Text, m.ReplyTo, messages[0].ID)
			}
		}
		if n := len(w.Messages(group)); n != 0 {
			t.Errorf("%d messages in the other chat", n)
		}
	})
}

func TestWhatCannotBePassedOn(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		const from = `"from":{"id":2001,"first_name":"Author","language_code":"en"},"chat":{"id":2001,"type":"private"}`
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/help"})
		texts := ticket.Texts("en").Direct
		for _, tc := range []struct{ content, want string }{
			{`"location":{"latitude":1,"longitude":2}`, texts.Unsupported},
			{`"poll":{"id":"1"}`, texts.Unsupported},
			{`"pinned_message":{"message_id":1}`, texts.Help}, // nobody said anything
			{`"new_invention":{}`, texts.Help},
		} {
			before := len(w.Messages(author.ID))
			w.feed(`{"message":{"message_id":99,"date":1,` + tc.content + `,` + from + `}}`)
			settle(time.Second)
			got := w.Messages(author.ID)
			if slices.Equal([]string{tc.want}, []string{texts.Help}) != (len(got) == before) || len(got) > before && got[len(got)-1].Text != tc.want {
				t.Errorf("%s: %d messages, the last is %q", tc.content, len(got)-before, got[len(got)-1].Text)
			}
		}
	})
}

func TestOfTwoPressesTheLastStays(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/skip"})
		question := w.last(author.ID)
		for _, data := range []string{"cat_bug", "cat_bug", "cat_wish"} {
			if _, err := w.Press(author.ID, question.ID, data, author); err != nil {
				t.Fatal(err)
			}
		}
		settle(5 * time.Second)
		if n := len(w.Messages(author.ID)); n != 5 {
			t.Errorf("%d messages, want the commands, two questions, and one for the text", n)
		}
		if m, _ := w.Message(author.ID, question.ID); m.Text != "Topic: 💡 Wish" || len(m.Buttons) != 0 {
			t.Errorf("the question is now %q with %v", m.Text, m.Buttons)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "It should be green"})
		if got := w.last(group).Text; !strings.HasSuffix(got, "#wish #new") {
			t.Errorf("the post is\n%s", got)
		}
	})
}

// An album that answers the staff is one answer.
func TestAnAlbumAnswersTheStaff(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		post := w.feedback(author, "The map does not open")
		question := w.reply(support, post.ID, "Show us")
		asked := w.last(author.ID)
		settle(afterReply) // without its being an answer it would go nowhere
		for _, words := range []string{"", "Here it is", ""} {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: words, Media: &sim.Media{Kind: sim.Photo}, AlbumID: "13", ReplyTo: asked.ID})
		}
		messages := w.Messages(group)
		passed := messages[len(messages)-3:]
		for i, want := range []string{"The author of ticket_tg_1 adds", "The author of ticket_tg_1 adds\n\nHere it is", ""} {
			if m := passed[i]; m.Text != want || m.Media == nil || m.ReplyTo != question {
				t.Errorf("part %d is %+v, want %q in answer to %d", i, m, want, question)
			}
		}
		confirmed := 0
		for _, m := range w.Messages(author.ID) {
			if m.Text == "Added to ticket_tg_1." {
				confirmed++
			}
		}
		if confirmed != 1 {
			t.Errorf("three photos were confirmed %d times, want once", confirmed)
		}
	})
}

// Where the group has become a supergroup, additions go there; its old messages cannot be answered any more.
func TestAdditionsFollowTheGroup(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		post := w.feedback(author, "The map does not open")
		w.reply(support, post.ID, "Which map?")
		asked := w.last(author.ID)
		if err := w.Migrate(group, supergroup); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"The one of the city", "It is blue"} {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: text, ReplyTo: asked.ID})
		}
		settle(time.Minute)
		var got []string
		for _, m := range w.Messages(supergroup) {
			if m.Service == "" {
				got = append(got, m.Text)
			}
		}
		want := []string{"The author of ticket_tg_1 adds\n\nThe one of the city", "The author of ticket_tg_1 adds\n\nIt is blue"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the supergroup has (-want +got):\n%s", diff)
		}
	})
}

func TestAdditionsGoToTheTicketsTopic(t *testing.T) {
	forumWorld(t, TopicsPerTicket, sim.Chat{}, func(t *testing.T, w *world) {
		w.cfg.Intake = testIntake
		w.restart()
		settle(time.Second)
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/skip"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "bug"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "Look at this picture", Media: &sim.Media{Kind: sim.Photo}})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "and hear this", Media: &sim.Media{Kind: sim.Voice}})
		topic := w.topicOf("Look at this picture")
		if topic == "" || w.topicOf("📎 ticket_tg_1") != topic || w.topicOf("and hear this") != topic {
			t.Errorf("the post is in %q, its picture in %q, the addition in %q", topic, w.topicOf("📎 ticket_tg_1"), w.topicOf("and hear this"))
		}
	})
}
