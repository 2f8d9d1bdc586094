// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// wantEdited changes a reply, and wants its author to read the new words where the old ones were.
func (w *world) wantEdited(chatID int64, messageID int, authorID int64) {
	w.t.Helper()
	before := len(w.Messages(authorID))
	if err := w.Edit(chatID, messageID, "Fixed"); err != nil {
		w.t.Fatal(err)
	}
	settle(3 * time.Second)
	if got := w.last(authorID).Text; !strings.HasSuffix(got, "\n\nFixed") || len(w.Messages(authorID)) != before {
		w.t.Errorf("the author reads %q, the last of %d messages that were %d", got, len(w.Messages(authorID)), before)
	}
}

func TestAnAnonymousAdministratorEditsAReply(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		if err := w.SetMember(group, colleague, sim.Administrator, true); err != nil {
			t.Fatal(err)
		}
		post := w.feedback(author, "The map does not open")
		answer := w.say(sim.Incoming{ChatID: group, By: colleague, Anonymous: true, ReplyTo: post.ID, Text: "Fixxed"})
		w.wantEdited(group, answer, author.ID)
	})
}

func TestAReplyInAChannelIsEdited(t *testing.T) {
	const channel = int64(-1007777777777)
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		if err := w.AddChat(sim.Chat{ID: channel, Type: sim.Channel, Title: "Feedback channel"}); err != nil {
			t.Fatal(err)
		}
		w.reconfigure(func(c *Config) { c.ChatID = channel })
		w.start()
		post := w.feedback(author, "The map does not open")
		answer := w.say(sim.Incoming{ChatID: channel, By: support, ReplyTo: post.ID, Text: "Fixxed"})
		w.wantEdited(channel, answer, author.ID)
	})
}

func TestAReplyIsEditedBeforeItArrives(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, _ *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultTooManyRequests, RetryAfter: 5, ChatID: author.ID}); err != nil {
			t.Fatal(err)
		}
		before := len(w.Messages(author.ID))
		answer := w.reply(support, post.ID, "Fixxxed")
		for _, text := range []string{"Fixxed", "Fixed"} {
			if err := w.Edit(group, answer, text); err != nil {
				t.Fatal(err)
			}
			settle(time.Second)
		}
		w.restart()
		if n := len(w.Messages(author.ID)) - before; n != 0 {
			t.Fatalf("%d messages arrived already", n)
		}
		if err := w.SetFaults(); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		if got := w.last(author.ID).Text; !strings.HasSuffix(got, "\n\nFixed") || len(w.Messages(author.ID)) != before+1 {
			t.Errorf("the author reads %q, the last of %d new messages", got, len(w.Messages(author.ID))-before)
		}
	})
}

func TestAnEditOfWhatNeverArrivesHoldsNothingUp(t *testing.T) {
	inBothLanguages(t, func(t *testing.T, w *world, author sim.User, texts *ticket.Catalog) {
		post := w.feedback(author, "The map does not open")
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultTooManyRequests, RetryAfter: 5, ChatID: author.ID}); err != nil {
			t.Fatal(err)
		}
		answer := w.reply(support, post.ID, "Fixxed")
		if err := w.Edit(group, answer, "Fixed"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if err := w.Block(author.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.SetFaults(); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		w.lastOf(group, about(texts.Staff.ReplyRefused, "ticket_tg_1"))
		if waiting, err := w.store.WaitingChats(t.Context()); err != nil || len(waiting) != 0 {
			t.Errorf("jobs wait for %v, err %v", waiting, err)
		}
	})
}
