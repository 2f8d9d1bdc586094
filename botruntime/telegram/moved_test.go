// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// texts are the texts of a chat's messages.
func (w *world) texts(chatID int64) (out []string) {
	for _, m := range w.Messages(chatID) {
		out = append(out, m.Text)
	}
	return out
}

// moving runs a test with a ticket of an author's in the group, which the staff then leaves for another one; move changes
// the settings.
func moving(t *testing.T, test func(t *testing.T, w *world, move func())) {
	t.Helper()
	talking(t, nil, func(t *testing.T, w *world) {
		if err := w.AddChat(sim.Chat{ID: anotherGroup, Title: "The new group"}); err != nil {
			t.Fatal(err)
		}
		w.feedback(author, "The map does not open")
		test(t, w, func() {
			w.cfg.ChatID = anotherGroup
			w.restart()
			settle(time.Second)
		})
	})
}

func TestAdditionsFollowTheStaffThatWasPutOutOfItsChat(t *testing.T) {
	moving(t, func(t *testing.T, w *world, move func()) {
		move()
		if err := w.AddChat(sim.Chat{ID: group, Title: "The old group", BotStatus: sim.Kicked}); err != nil {
			t.Fatal(err)
		}
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "It is the one of the city"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "Look", Media: &sim.Media{Kind: sim.Photo}})
		const heading = "The author of ticket_tg_1 adds\n\n"
		if diff := cmp.Diff([]string{heading + "It is the one of the city", heading + "Look"}, w.texts(anotherGroup)); diff != "" {
			t.Errorf("the new group has (-want +got):\n%s", diff)
		}
	})
}

// What was on its way to the old chat goes to the new one.
func TestAdditionsThatWaitFollowTheStaff(t *testing.T) {
	moving(t, func(t *testing.T, w *world, move func()) {
		if err := w.SetFaults(sim.Fault{Kind: sim.FaultBadGateway, ChatID: group}); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"It is the one of the city", "And it is blue"} {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: text})
		}
		before := len(w.Messages(group))
		move()
		if err := w.SetFaults(); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		got := strings.Join(w.texts(anotherGroup), "\n")
		if n := len(w.Messages(group)); n != before || !strings.Contains(got, "the one of the city") || !strings.HasSuffix(got, "And it is blue") {
			t.Errorf("%d messages more in the old group, and the new one has\n%s", n-before, got)
		}
	})
}

// A route that goes elsewhere by now takes what is added to its tickets along; other chats of the staff's keep theirs.
func TestAdditionsFollowTheirRoute(t *testing.T) {
	moving(t, func(t *testing.T, w *world, _ func()) {
		w.cfg.Routes = []Route{{Category: "wish", ChatID: anotherGroup}}
		w.restart()
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "It is the one of the city"})
		if got := w.last(group).Text; !strings.HasSuffix(got, "It is the one of the city") || len(w.Messages(anotherGroup)) != 0 {
			t.Errorf("the group's last message is %q, and the other one has %v", got, w.texts(anotherGroup))
		}
	})
}

// The staff's question can stand in another chat of theirs than the ticket: the answer goes where it was asked.
func TestAnAnswerGoesWhereTheQuestionStands(t *testing.T) {
	moving(t, func(t *testing.T, w *world, move func()) {
		w.cfg.Routes = []Route{{Category: "wish", ChatID: group}}
		move()
		if err := w.SetMember(anotherGroup, support, sim.Administrator, false); err != nil {
			t.Fatal(err)
		}
		w.say(sim.Incoming{ChatID: anotherGroup, By: support, Text: "/ticket ticket_tg_1"})
		card := w.last(anotherGroup)
		question := w.say(sim.Incoming{ChatID: anotherGroup, By: support, Text: "Which map?", ReplyTo: card.ID})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "The one of the city", ReplyTo: w.last(author.ID).ID})
		if got := w.last(anotherGroup); got.ReplyTo != question || !strings.HasSuffix(got.Text, "The one of the city") {
			t.Errorf("the last message where it was asked is %+v", got)
		}
	})
}
