// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// textsBehind are the texts of a chat's messages from a place on.
func (w *world) textsBehind(chatID int64, n int) (out []string) {
	for _, m := range w.Messages(chatID)[n:] {
		out = append(out, m.Text)
	}
	return out
}

// What an author was told is on its way, and Telegram will not copy, is lost to nobody: the staff has the words, the author
// knows.
func TestWhatTelegramDoesNotCopy(t *testing.T) {
	const noFile = "⚠️ An attachment by the author of ticket_tg_1 was not passed on: Telegram did not take it. Perhaps this chat forbids such attachments."
	const notArrived = "⚠️ This attachment did not reach the team: Telegram did not take it (ticket_tg_1). Send it again in another form, or describe it in words."
	talking(t, nil, func(t *testing.T, w *world) {
		if err := w.AddChat(sim.Chat{ID: group, Title: "Feedback group", NoMedia: true}); err != nil {
			t.Fatal(err)
		}
		post := w.feedback(author, "The map does not open")
		steps := []struct {
			what         string
			in           sim.Incoming
			group, where []string
		}{
			{"a photo with words", sim.Incoming{Text: "See this", Media: &sim.Media{Kind: sim.Photo}},
				[]string{noFile + "\n\nThe author of ticket_tg_1 adds\n\nSee this"}, []string{"See this", "Added to ticket_tg_1.", notArrived}},
			{"a sticker", sim.Incoming{Media: &sim.Media{Kind: sim.Sticker}},
				[]string{"The author of ticket_tg_1 adds", noFile}, []string{"", "Added to ticket_tg_1.", notArrived}},
		}
		for _, s := range steps {
			inGroup, inPrivate := len(w.Messages(group)), len(w.Messages(author.ID))
			s.in.ChatID, s.in.By = author.ID, author
			id := w.say(s.in)
			settle(10 * time.Second)
			if diff := cmp.Diff(s.group, w.textsBehind(group, inGroup)); diff != "" {
				t.Errorf("%s: the group has (-want +got):\n%s", s.what, diff)
			}
			if diff := cmp.Diff(s.where, w.textsBehind(author.ID, inPrivate)); diff != "" {
				t.Errorf("%s: the author has (-want +got):\n%s", s.what, diff)
			}
			if m := w.last(author.ID); m.ReplyTo != id {
				t.Errorf("%s: the notice answers %d, want %d", s.what, m.ReplyTo, id)
			}
			if m := w.last(group); m.ReplyTo != post.ID {
				t.Errorf("%s: the staff's notice answers %d, want the post", s.what, m.ReplyTo)
			}
		}
		// The staff can answer the notice, and what comes of it answers the file.
		file := w.last(author.ID).ReplyTo
		w.reply(support, w.last(group).ID, "Describe it, please")
		if m := w.last(author.ID); m.ReplyTo != file {
			t.Errorf("the answer answers %d, want %d", m.ReplyTo, file)
		}
	})
}

// The files of a ticket: its words stand in the post.
func TestFilesOfATicketThatTelegramDoesNotCopy(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		if err := w.AddChat(sim.Chat{ID: group, Title: "Feedback group", NoMedia: true}); err != nil {
			t.Fatal(err)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/skip"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "bug"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "The map does not open", Media: &sim.Media{Kind: sim.Photo}})
		settle(10 * time.Second)
		w.admit("from the site")
		settle(time.Second)
		var kinds []string
		for _, m := range w.Messages(group) {
			kinds = append(kinds, fmt.Sprintf("%.40s", m.Text))
		}
		w.wantAllAnswered(1)
		if state, _ := w.health.now(); state != "true Reachable" {
			t.Errorf("health is %s", state)
		}
		if len(kinds) != 3 || w.Messages(group)[1].ReplyTo != w.Messages(group)[0].ID {
			t.Errorf("the group has %q, want the ticket, the notice under it, and the site's", kinds)
		}
	})
}

// A text that is too long for one message with its header is copied. Where the author deletes it before, it is brought in words.
func TestALongTextThatTelegramDoesNotCopyArrives(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		post := w.feedback(author, "The map does not open")
		refusing := &refusing{RoundTripper: w.cfg.HTTPClient.Transport, method: "/copyMessage"}
		refusing.times.Store(1)
		w.halt()
		w.cfg.HTTPClient = &http.Client{Transport: refusing}
		w.start()
		inGroup, inPrivate := len(w.Messages(group)), len(w.Messages(author.ID))
		long := strings.Repeat("All day ", 500) + "."
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: long})
		settle(10 * time.Second)
		if diff := cmp.Diff([]string{"The author of ticket_tg_1 adds", long}, w.textsBehind(group, inGroup)); diff != "" {
			t.Errorf("the group has (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{long, "Added to ticket_tg_1."}, w.textsBehind(author.ID, inPrivate)); diff != "" {
			t.Errorf("the author has (-want +got):\n%s", diff)
		}
		if m := w.last(group); m.ReplyTo != post.ID {
			t.Errorf("the words answer %d, want the post", m.ReplyTo)
		}
	})
}
