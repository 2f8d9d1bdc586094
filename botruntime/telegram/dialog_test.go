// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/feedbackbridge/feedbackbridge/botruntime/ticket"
)

func testRules() rules {
	return rules{enabled: true, minLength: 10, maxLength: 20, texts: ticket.Texts("en"),
		categories: []choice{{"bug", "🐛 Bug"}, {"wish", "💡 A wish"}}}
}

// The conversation's decisions, where they are finer than a conversation shows.
func TestDialog(t *testing.T) {
	r := testRules()
	texts := r.texts.Direct
	idle := dialog{Version: dialogVersion}
	at := func(s step, change ...func(*dialog)) dialog {
		d := idle
		d.Step = s
		for _, c := range change {
			c(&d)
		}
		return d
	}
	album := func(id string) func(*dialog) { return func(d *dialog) { d.Album = id } }
	files := func(ids ...int) func(*dialog) { return func(d *dialog) { d.Files = ids } }
	refused := func(id int) func(*dialog) { return func(d *dialog) { d.Refused = id } }
	dropped := func(id string) func(*dialog) { return func(d *dialog) { d.Dropped = id } }
	about := func(c string) func(*dialog) { return func(d *dialog) { d.Category = c } }
	tests := []struct {
		name   string
		before dialog
		in     input
		after  dialog
		move   move
	}{
		{"a reply to a ticket goes there, even while another is being written", at(stepNickname), input{text: "Nick", answers: "ticket_tg_1"},
			at(stepNickname), move{under: "ticket_tg_1"}},
		{"a command is one, even as a reply", at(stepNickname), input{command: "/cancel", text: "/cancel", answers: "ticket_tg_1"}, idle, say(texts.Cancelled)},
		{"a question comes before the last ticket", at(stepNickname), input{text: "Nick", current: "ticket_tg_1"},
			at(stepCategory, func(d *dialog) { d.Nickname = "Nick" }), move{say: []saying{{texts.AskCategory, true}}}},
		{"an unknown command is no addition", idle, input{command: "/x", text: "/x", current: "ticket_tg_1"}, idle, say(texts.Hint)},
		{"the first part of an album is confirmed", idle, input{file: true, album: "a", current: "t"}, at(stepIdle, album("a")), move{under: "t"}},
		{"the second is not", at(stepIdle, album("a")), input{file: true, album: "a", current: "t"}, at(stepIdle, album("a")), move{under: "t", quiet: true}},
		{"it goes where the first went, whatever the staff has answered since",
			at(stepIdle, album("a"), func(d *dialog) { d.AlbumTicket = "new" }), input{file: true, album: "a", current: "answered"},
			at(stepIdle, album("a"), func(d *dialog) { d.AlbumTicket = "new" }), move{under: "new", quiet: true}},
		{"another album does not", at(stepIdle, album("a"), func(d *dialog) { d.AlbumTicket = "new" }), input{file: true, album: "b", current: "answered"},
			at(stepIdle, album("b")), move{under: "answered"}},
		{"what is in no album is", at(stepIdle, album("a")), input{file: true, current: "t"}, idle, move{under: "t"}},
		{"nor is what a limit cut off with it", at(stepIdle, album("a"), dropped("a")), input{file: true, album: "a", current: "t"}, at(stepIdle, album("a"), dropped("a")), move{}},
		{"the next album is", at(stepIdle, album("a"), dropped("a")), input{file: true, album: "b", current: "t"}, at(stepIdle, album("b"), dropped("a")), move{under: "t"}},
		{"an album in vain is told once", at(stepIdle, album("a")), input{file: true, album: "a"}, at(stepIdle, album("a")), move{}},
		{"the words of an album in vain may come with any part", at(stepNickname, album("a")), input{file: true, album: "a", text: "Nick"},
			at(stepCategory, album("a"), func(d *dialog) { d.Nickname = "Nick" }), r.question(stepCategory)},
		{"what does not do is remembered", at(stepText), input{text: "short", messageID: 5}, at(stepText, refused(5)), say(texts.TooShort.Count(10))},
		{"until something does", at(stepText, refused(5)), input{text: "long enough", messageID: 5}, idle, move{draft: &draft{text: "long enough"}}},
		{"also a nickname", at(stepNickname), input{text: "a\nb", messageID: 5}, at(stepNickname, refused(5)), say(texts.BadNickname.Count(maxNickname))},
		{"a file whose words are changed is the same", at(stepText, files(5)), input{file: true, text: "long enough", messageID: 5}, idle,
			move{draft: &draft{text: "long enough", files: []int{5}}}},
		{"a file waits for its text", at(stepText), input{file: true, messageID: 5}, at(stepText, files(5)), say(texts.KeptFile)},
		{"the words of an album may come with any part", at(stepText, about("bug"), album("a"), files(5)), input{file: true, messageID: 6, album: "a", text: "long enough"},
			at(stepIdle, album("a")), move{draft: &draft{category: "bug", text: "long enough", files: []int{5, 6}}}},
		{"one file too many", at(stepText, files(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)), input{file: true, messageID: 11},
			at(stepText, files(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), func(d *dialog) { d.Full = true }), say(texts.TooManyFiles.Count(10))},
		{"its words are taken", at(stepText, files(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)), input{file: true, messageID: 11, text: "long enough"},
			idle, move{say: say(texts.TooManyFiles.Count(10)).say, draft: &draft{text: "long enough", files: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}}},
		{"invisible characters are none", at(stepText), input{text: strings.Repeat("\u200b", 15)}, at(stepText), say(texts.TooShort.Count(10))},
		{"letters are counted, not bytes", at(stepText), input{text: strings.Repeat("ы", 20)}, idle, move{draft: &draft{text: strings.Repeat("ы", 20)}}},
		{"a category in words", at(stepCategory), input{text: "a WISH"}, at(stepText, about("wish")), r.question(stepText)},
		{"a category that is none any more", at(stepCategory), input{pressed: true, category: "old"}, at(stepCategory), move{toast: r.texts.UnknownButton}},
		{"a late press", idle, input{pressed: true, category: "bug"}, idle, move{toast: r.texts.UnknownButton}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			after, move := tc.before.next(tc.in, r)
			if diff := cmp.Diff(tc.after, after, cmp.AllowUnexported(dialog{})); diff != "" {
				t.Errorf("the state (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.move, move, cmp.AllowUnexported(moveTypes()...)); diff != "" {
				t.Errorf("the move (-want +got):\n%s", diff)
			}
		})
	}
}

func moveTypes() []any { return []any{move{}, draft{}, saying{}} }

// What an edit of a message means to a conversation.
func TestDialogAwaitsEdits(t *testing.T) {
	for name, tc := range map[string]struct {
		d    dialog
		want bool
	}{
		"of what did not do":              {dialog{Step: stepNickname, Refused: 5}, true},
		"of something else":               {dialog{Step: stepText, Refused: 6, Files: []int{4}}, false},
		"of a file that waits":            {dialog{Step: stepText, Files: []int{4, 5}}, true},
		"of a file, before there are any": {dialog{Step: stepCategory, Files: []int{5}}, false},
		"when it is over":                 {dialog{Refused: 5}, false},
	} {
		if got := tc.d.awaits(5); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An answer of the staff's in the middle of a conversation.
func TestDialogIsAnswered(t *testing.T) {
	texts, until := ticket.Texts("en"), time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		before dialog
		closed bool
		after  dialog
		say    string
	}{
		{"none is going on", dialog{Version: 1}, false, dialog{Version: 1}, ""},
		{"it has gathered nothing", dialog{Version: 1, Step: stepNickname, Refused: 3}, false, dialog{Version: 1}, texts.Direct.SetAside},
		{"or next to nothing", dialog{Version: 1, Step: stepCategory, Nickname: "Nick"}, false, dialog{Version: 1}, texts.Direct.SetAside},
		{"a text is being written", dialog{Version: 1, Step: stepText, Files: []int{1}}, false,
			dialog{Version: 1, Step: stepText, Files: []int{1}, Advised: true}, texts.Direct.AnswerByReply},
		{"again", dialog{Version: 1, Step: stepText, Advised: true}, false, dialog{Version: 1, Step: stepText, Advised: true}, ""},
		{"of a closed ticket", dialog{Version: 1, Step: stepNickname}, true, dialog{Version: 1, Step: stepNickname, Advised: true}, texts.Direct.AnswerByReply},
	} {
		t.Run(tc.name, func(t *testing.T) {
			after, said := tc.before.answered("ticket_tg_1", tc.closed, until, texts)
			if diff := cmp.Diff(tc.after.expects("ticket_tg_1", until), after); diff != "" || said != tc.say {
				t.Errorf("the bot says %q, and (-want +got):\n%s", said, diff)
			}
		})
	}
}

// Where feedback is not taken, no state asks for any.
func TestDialogWhereFeedbackIsNotTaken(t *testing.T) {
	r := testRules()
	r.enabled = false
	for _, s := range []step{stepIdle, stepNickname, stepCategory, stepText} {
		for _, in := range []input{{text: "words enough"}, {command: "/feedback"}, {command: "/cancel"}, {pressed: true, category: "bug"}} {
			after, move := dialog{Version: dialogVersion, Step: s, Nickname: "n"}.next(in, r)
			if after.Step != stepIdle || move.draft != nil || after.Nickname != "" {
				t.Errorf("at %q, %+v leads to %+v and %+v", s, in, after, move)
			}
		}
	}
}

func TestDialogIsKept(t *testing.T) {
	d := dialog{Version: dialogVersion, Step: stepText, Nickname: "n", Category: "bug", Files: []int{1, 2}, Full: true, Refused: 3, Advised: true, Album: "a", Dropped: "b",
		Ticket: "ticket_tg_1", Until: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	body, err := d.encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, readDialog(body)); diff != "" {
		t.Errorf("(-kept +read):\n%s", diff)
	}
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "{", "another version": `{"v":2,"step":"text"}`, "an unknown step": `{"v":1,"step":"dance"}`,
		"too many files": `{"v":1,"step":"text","files":[1,2,3,4,5,6,7,8,9,10,11]}`, "null": "null",
	} {
		if diff := cmp.Diff(dialog{Version: dialogVersion}, readDialog([]byte(body))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever was kept and whatever comes, a conversation keeps to its rules.
func FuzzDialog(f *testing.F) {
	f.Add([]byte(`{"v":1,"step":"text","category":"bug","files":[1]}`), "a text long enough", "", true, "", "")
	f.Add([]byte(`{"v":1,"step":"category"}`), "bug", "/skip", false, "a", "ticket_tg_1")
	f.Add([]byte(`{"v":1,"until":"9999-12-31T23:59:59Z","ticket":"x"}`), "\u202e", "/feedback", false, "", "x")
	f.Fuzz(func(t *testing.T, state []byte, text, command string, file bool, album, current string) {
		r, valid := testRules(), func(s string) string { return strings.ToValidUTF8(s, "?") } // as JSON makes it
		in := input{text: ticket.Clean(text), command: valid(command), file: file, messageID: 7, album: valid(album), current: valid(current)}
		d := readDialog(state)
		kept := slices.Clone(d.Files)
		after, move := d.next(in, r)
		if !slices.Equal(kept, d.Files) {
			t.Fatal("the state before was changed")
		}
		if len(after.Files) > maxFiles || ticket.Units(after.Nickname) > max(maxNickname, ticket.Units(d.Nickname)) {
			t.Fatalf("a state that is too large: %+v", after)
		}
		if d := move.draft; d != nil {
			if n := utf8.RuneCountInString(d.text); n < r.minLength || n > r.maxLength {
				t.Fatalf("a ticket of %d characters", n)
			}
		}
		for _, s := range move.say {
			if s.text == "" || ticket.Units(s.text) > ticket.MaxUnits {
				t.Fatalf("the bot says %q", s.text)
			}
		}
		body, err := after.encode()
		if err != nil {
			t.Fatalf("cannot be kept: %v", err)
		}
		if again := readDialog(body); !cmp.Equal(after, again) {
			t.Fatalf("read back as another: %s", cmp.Diff(after, again))
		}
	})
}
