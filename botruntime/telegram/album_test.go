// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"testing"

	sim "github.com/feedbackbridge/feedbackbridge/hack/sim/telegram"
)

// The parts of an album come one by one. What the staff answers to another ticket meanwhile does not lead the rest astray.
func TestAnAlbumStaysTogether(t *testing.T) {
	talking(t, nil, func(t *testing.T, w *world) {
		first := w.feedback(author, "The map does not open")
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/feedback"})
		w.say(sim.Incoming{ChatID: author.ID, By: author, Text: "/skip"})
		if _, err := w.Press(author.ID, w.last(author.ID).ID, "cat_bug", author); err != nil {
			t.Fatal(err)
		}
		settle(0)
		part := func(text string) {
			w.say(sim.Incoming{ChatID: author.ID, By: author, Text: text, AlbumID: "album", Media: &sim.Media{Kind: sim.Photo}})
		}
		part("The gate is shut, too")
		second := w.lastOf(group, "The gate is shut, too")
		w.reply(support, first.ID, "Which map?")
		part("")
		if got := w.last(group); got.ReplyTo != second.ID {
			t.Errorf("the second photo is under message %d, want under %d: %q", got.ReplyTo, second.ID, got.Text)
		}
	})
}
